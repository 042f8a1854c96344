"""The tables of `harm`: what weakens, destroys, sends away or breaks out."""

from __future__ import annotations

Table = tuple[tuple[str, str], ...]
"""Rows of what a command or a piece of code does, and the pattern that it is known by."""

WEAKENS: Table = (
    (
        "turns the check of certificates off",
        r"\bverify(?:_ssl|_certs|_mode)?\s?[=:]\s?(?:False|0|None|ssl\.CERT_NONE)\b"
        r"|check_hostname\s?=\s?False|CERT_NONE|_create_unverified_context"
        r"|rejectUnauthorized[\"']?\s?:\s?false"
        r"|TLS_REJECT_UNAUTHORIZED[\"']?\]?\s?[=:]\s?[\"']?0|InsecureSkipVerify"
        r"|strict[-_]ssl[\s=:]{1,3}false|sslVerify[\s=]{1,3}false|SSL_NO_VERIFY"
        r"|--no-check-certificate|--trusted-host|trusted-host\s?="
        r"|\bssl_cert_reqs\s?=\s?(?:None|[\"']none)|(?:connector|ssl)\s?=\s?False"
        r"|proxy_ssl_verify\s+off|--tls-skip-verify|--skip-tls|insecure-registr"
        r"|\bsslmode=(?:disable|allow)\b|SkipCertificateCheck|tlsAllowInvalid|tlsInsecure"
        r"|http\.sslverify",
    ),
    (
        "turns the check of certificates off",
        r"\bcurl\b[^\n|;&]{0,200}\s(?:-[a-zA-Z]{0,8}k[a-zA-Z]{0,8}|--insecure|"
        r"--proxy-insecure)(?=\s|$)",
    ),
    (
        "lets everybody write",
        r"\bchmod\s+(?:-\w+\s+)*(?:0?[0-7]?[0-7]?[2367][\s'\"]|0?[0-7]?[0-7]{2}[2367]\b|"
        r"\w{0,3}[ao]\w{0,2}\+\w{0,2}w)"
        r"|\b(?:chmod|mode)\s?[(=][^\n)]{0,80}0o?777|umask\s+0?00\b",
    ),
    (
        "accepts any host",
        r"StrictHostKeyChecking[\s=\"']{1,4}(?:no|off|accept)"
        r"|UserKnownHostsFile[\s=]{1,3}/dev/null|AutoAddPolicy|known_hosts\s?=\s?None",
    ),
    (
        "takes a container's walls away",
        r"--privileged\b|privileged:\s?true|--cap-add[= ](?:ALL|SYS_ADMIN|SYS_PTRACE)"
        r"|cap_add:[^\n]{0,30}(?:ALL|SYS_ADMIN)|(?:seccomp|apparmor)[=:]unconfined"
        r"|--pid[= ]host|pid:\s?[\"']?host|allowPrivilegeEscalation:\s?true"
        r"|userns(?:_mode)?[=: ]{1,2}[\"']?host",
    ),
    (
        "hands the Docker engine over, which is root on the host",
        r"docker\.sock\b",
    ),
    (
        "shows what is inside to strangers",
        r"\bDEBUG[\"']?\s?[=:]\s?(?:True|1|true|[\"']true)\b"
        r"|\bapp\.run\([^\n)]{0,120}debug\s?=\s?True"
        r"|(?:FastAPI|Flask|Starlette)\([^\n)]{0,80}debug\s?=\s?True",
    ),
    (
        "lets everybody in without a password",
        r"^\s*(?:host\w*|local)\s+\S+\s+\S+(?:\s+\S+)?\s+trust\b"
        r"|HOST_AUTH_METHOD[\"']?\s?[=:]\s?[\"']?trust|protected-mode\s+no|--no-auth\b"
        r"|xpack\.security\.enabled[=:\s]{1,3}false|allowEmptyPassword|ALLOW_EMPTY_PASSWORD"
        r"|skip-grant-tables|MYSQL_ALLOW_EMPTY",
    ),
    (
        "runs what it is given as code or as a shell's command",
        r"(?<![.\w])(?:eval|exec)\(\s?(?:input\(|request|sys\.argv|req\.|params|query|body|"
        r"data\b|payload)"
        r"|shell\s?=\s?True|os\.(?:system|popen)\(|child_process[^\n]{0,60}\bexec\("
        r"|\bexecSync\(\s?`|new Function\(|subprocess\.getoutput|vm\.runIn",
    ),
    (
        "runs code that data brings",
        r"\b(?:pickle|cPickle|marshal|dill|shelve|jsonpickle|cloudpickle)\.(?:loads?|open|"
        r"decode|Unpickler)\("
        r"|yaml\.(?:unsafe_load|full_load)|Loader\s?=\s?yaml\.(?:Unsafe|Full)?Loader"
        r"|yaml\.load\([^,\n)]{1,80}\)|node-serialize|unserialize\(|allow_pickle\s?=\s?True"
        r"|weights_only\s?=\s?False",
    ),
    (
        "puts SQL together from values",
        r"(?:execute|executemany|executescript|fetch|fetchrow|fetchval|raw|query|text|"
        r"exec_driver_sql|RawSQL|\w*Unsafe)\(\s{0,8}(?:f[\"']{1,3}|`)\s{0,8}(?:SELECT|INSERT|"
        r"UPDATE|DELETE|DROP|ALTER|TRUNCATE|WITH|CREATE|SET|GRANT)\b[^`;]{0,300}(?:(?<!\$)\{|"
        r"\$\{)"
        r"|(?:execute|text|query)\(\s{0,3}([\"'])(?:(?!\1)[^\n]){1,200}\1\s?(?:%\s?[\w(]|"
        r"\+\s?\w|\.format\()"
        r"|f[\"']{1,3}\s{0,8}(?:SELECT|INSERT|UPDATE|DELETE)\b[^\n]{0,200}['\"]?\{",
    ),
    (
        "takes a token that nobody signed, or that has ended",
        r"verify_signature[\"']?\s?[:=]\s?False"
        r"|algorithms?[\"']?\s?[=:]\s?\[?\s?[\"']none[\"']|[\"']alg[\"']\s?:\s?[\"']none"
        r"|verify_exp[\"']?\s?:\s?False|verify_aud[\"']?\s?:\s?False"
        r"|jwt\.decode\([^\n)]{0,100}verify\s?=\s?False|ignoreExpiration:\s?true",
    ),
    (
        "turns a protection of the machine off",
        r"setenforce\s+0|SELINUX=(?:disabled|permissive)|\bufw\s+disable"
        r"|iptables\s+(?:-F|-P \w+ ACCEPT)"
        r"|(?:stop|disable)\s+(?:firewalld|apparmor|auditd|fail2ban|ufw)|netsh\s+\w*firewall"
        r"|Set-MpPreference|ExecutionPolicy[\s\"',]{1,4}(?:Bypass|Unrestricted)"
        r"|spctl\s+--master-disable|csrutil\s+disable",
    ),
    (
        "widens who may do what on the machine",
        r"NOPASSWD|PermitRootLogin\s+yes|PasswordAuthentication\s+yes"
        r"|PermitEmptyPasswords\s+yes|chpasswd|usermod\s+-aG\s+(?:docker|sudo|wheel)"
        r"|\bchmod\s+\S{0,6}[u+]s\b",
    ),
    (
        "takes packages that nobody signed",
        r"\[?trusted=yes|--allow-unauthenticated|--no-gpg-check|--nogpgcheck|gpgcheck\s?=\s?0"
        r"|--force-yes|--allow-insecure-repositories|--disable-content-trust"
        r"|DOCKER_CONTENT_TRUST=0|GONOSUMDB|GOFLAGS=-insecure|GONOSUMCHECK|GOINSECURE"
        r"|--ignore-scripts[= ]false|ignore-scripts\s?=\s?false|--dangerously",
    ),
    (
        "lets a page run what others wrote",
        r"csrf_exempt|csrf[_A-Za-z]{0,20}[\"']?\s?[:=]\s?(?:False|false)"
        r"|autoescape\s?=\s?False|dangerouslySetInnerHTML|\.innerHTML\s?=[^=]|\|\s?safe\b"
        r"|Markup\(|mark_safe\(|v-html|X-XSS-Protection"
        r"|Content-Security-Policy[^\n]{0,80}unsafe-(?:inline|eval)|contextIsolation:\s?false"
        r"|nodeIntegration:\s?true|webSecurity:\s?false|--disable-web-security",
    ),
    (
        "opens cookies or hosts to others",
        r"httpOnly[\"']?\s?:\s?false|httponly\s?=\s?False"
        r"|\b(?:SESSION|CSRF)_COOKIE_(?:SECURE|HTTPONLY)\s?=\s?False"
        r"|ALLOWED_HOSTS\s?=\s?\[\s?[\"']\*|allowedHosts[\"']?\s?:\s?(?:true|[\"']all)"
        r"|SECURE_SSL_REDIRECT\s?=\s?False|disableHostCheck",
    ),
    (
        "guards a secret with what is easily guessed",
        r"(?:md5|sha1)\([^\n)]{0,60}(?:password|passwd|pwd)"
        r"|Math\.random\(\)[^\n]{0,60}(?:token|secret|password|session)"
        r"|(?:token|secret|password|session)\w{0,20}\s?=[^\n]{0,60}(?:Math\.random\(|"
        r"random\.(?:choice|randint|random)\()"
        r"|DES\.new|MODE_ECB|aes-\d+-ecb|createCipher\(|rounds\s?=\s?[1-4]\b",
    ),
    (
        "gives everybody all rights",
        r"GRANT\s+ALL\b[^;\n]{0,120}\bTO\s+PUBLIC|DISABLE\s+ROW\s+LEVEL\s+SECURITY"
        r"|WITH\s+SUPERUSER|\bSUPERUSER\b[^\n]{0,40}LOGIN|USING\s?\(\s?true\s?\)|BYPASSRLS"
        r"|GRANT\s+ALL\s+PRIVILEGES\s+ON\s+\*",
    ),
    (
        "opens something to the whole world",
        r"0\.0\.0\.0/0|::/0|public-read(?:-write)?\b|\"Principal\"\s?:\s?\"\*\""
        r"|\"Action\"\s?:\s?\"\*\"|permissions:\s?write-all|allUsers\b"
        r"|BlockPublicAcls[\"']?\s?[=:]\s?[Ff]alse|cluster-admin\b",
    ),
    (
        "skips a check that somebody set up",
        r"--no-verify\b|core\.hooksPath[\s=]{1,3}/dev/null|HUSKY=0|--no-audit\b"
        r"|safe\.directory\s+[\"']?\*|ACTIONS_ALLOW_UNSECURE_COMMANDS",
    ),
)

DESTROYS: Table = (
    (
        "deletes files that are not its own",
        r"(?<!git )\brm\s+(?:-\w+\s+|--\S+\s+)*-\w*[rR]\w*\s+(?:-\S+\s+)*[\"']?(?:/(?:etc|usr|"
        r"var|home|root|bin|s?bin|lib|boot|opt|srv|mnt|data|var/(?:lib|log|www|backups?)"
        r"(?:/(?!apt)[\w.-]+)?)?/?\*?(?=[\s\"'`;&|]|$)|~|\*|\.(?:\s|/?\*|$)|\$\{?HOME|"
        r"\$\{?\w+\}?(?:[\"']?/?(?:\*|\s|[\"']|$))|\.git\b|\.\./)"
        r"|rmtree\(\s?(?:os\.path\.expanduser|Path\.home|[\"'](?:/|~)|Path\([\"'](?:/|~))"
        r"|Remove-Item\b[^\n]{0,80}-Recurse|\brd\s+/s|\bdel\s+/[sfq]"
        r"|\bfind\s+[/~.$]\S{0,60}[^\n|;]{0,120}-delete\b|find\s+/[^\n]{0,120}-exec\s+rm"
        r"|fs\.rm(?:Sync|dirSync)?\([^\n]{0,80}(?:homedir|[\"'](?:/|~)[\"'/])",
    ),
    (
        "drops a database or a schema",
        r"\bDROP\s+(?:DATABASE|SCHEMA|OWNED|ROLE|USER)\b|\bdropdb\b|dropDatabase\("
        r"|migrate\s+reset|db:drop|downgrade\s+base|--force-reset|reset_db"
        r"|DROP\s+TABLE\b(?!\s+(?:IF\s+EXISTS\s+)?\w*(?:old|tmp|temp|backup|new|staging|copy|"
        r"shadow)\w*)[^;\n]{0,80}CASCADE"
        r"|pg_resetwal",
    ),
    (
        "empties a table or a store",
        r"\bTRUNCATE\s+(?:TABLE\s+)?[\w.,\s\"]{1,80}CASCADE"
        r"|\bDELETE\s+FROM\s+[\w.\"]{1,60}\s?;"
        r"|\bFLUSH(?:ALL|DB)\b|flush(?:all|db)\(",
    ),
    (
        "overwrites a disk",
        r"\bmkfs\b|\bdd\b[^\n]{0,120}\bof=/dev/(?!null)|>\s?/dev/(?:sd|nvme|vd|hd|mem|kmem)"
        r"|\bshred\b|\bwipefs\b|\bfdisk\b|\bparted\b|\bblkdiscard\b|diskpart|format\s+[a-z]:"
        r"|cryptsetup\s+(?:luksFormat|erase)|\blvremove\b|zpool\s+destroy|zfs\s+destroy",
    ),
    (
        "throws away what somebody committed, or has yet to",
        r"\bgit\s+push\b[^\n;&|]{0,120}(?:\s(?:--force(?!-with-lease)|-\w*f\w*|--mirror|"
        r"--delete)(?=\s|$|[`'\"])|\s\+\w)"
        r"|\bgit\s+(?:reset\s+--hard|clean\s+-\w*[fdx]|filter-branch|filter-repo|"
        r"reflog\s+expire|branch\s+-D|stash\s+(?:drop|clear)|update-ref\s+-d|gc\s+--prune)"
        r"|\bgit\s+(?:checkout|restore)\s+(?:--\s+)?\.(?:\s|$)",
    ),
    (
        "removes containers' data or images",
        r"\b(?:docker|podman)\s+(?:(?:system|volume)\s+prune\b|\w+\s+prune\s+[^\n]{0,30}-\w*a)"
        r"|\bdocker\s+volume\s+rm"
        r"|(?:docker[ -]compose|compose)\b[^\n]{0,60}\bdown\b[^\n]{0,60}\s(?:-v\b|--volumes|"
        r"--rmi)"
        r"|docker\s+(?:rm|rmi|kill|stop)\s+(?:-\w+\s+)*\$\(docker",
    ),
    (
        "deletes what runs in a cloud",
        r"\bkubectl\s+delete\s+(?:ns|namespace|pv|pvc|all|node|crd|--all|\S+\s+--all)"
        r"|\bterraform\s+(?:destroy|state\s+rm|apply\s+-destroy)|\bpulumi\s+destroy"
        r"|\bhelm\s+(?:uninstall|delete)"
        r"|\baws\s+s3\s+(?:rm|rb)\b[^\n]{0,120}--(?:recursive|force)"
        r"|\baws\s+\S+\s+(?:delete|terminate)-|gcloud\b[^\n]{0,80}\bdelete\b"
        r"|\baz\b[^\n]{0,60}\bdelete\b|gh\s+repo\s+delete|heroku\s+\S*(?:destroy|reset)"
        r"|delete_bucket|bucket\.objects\.(?:all\(\)\.)?delete|s3cmd\s+(?:del|rb)",
    ),
    (
        "removes traces, accounts or the running system",
        r"\bhistory\s+-c"
        r"|(?:rm|>|shred|truncate)\b[^\n]{0,40}(?:_history|/var/log|\.log\b.{0,10}-s ?0)"
        r"|HISTFILE=/dev/null|unset\s+HISTFILE|vssadmin\s+delete|wevtutil\s+cl|\bcrontab\s+-r"
        r"|\buserdel\b|\bdeluser\b|truncate\s+-s\s?0|\bjournalctl\s+--vacuum|wbadmin\s+delete"
        r"|bcdedit|tmutil\s+delete|chattr\s+-R|\bchown\s+-R\s+\S+\s+/(?:\s|$)"
        r"|\bmv\s+\S+\s+/dev/null|\bkillall\b|kill\s+-9\s+-1"
        r"|^\W{0,4}(?:sudo\s+)?(?:shutdown\s+-|reboot\b|poweroff\b|halt\b)",
    ),
)

SENDS: Table = (
    (
        "reads keys of the person who runs it",
        r"(?:~|\$\{?HOME\}?|/root|/home/\w+|home\(\)|homedir\(\)|expanduser\()"
        r"[^\n]{0,60}(?:\.ssh\b|\.aws\b|\.netrc|\.git-credentials|\.kube\b|\.docker/config|"
        r"\.npmrc|\.pypirc|\.gnupg|\.azure\b|\.config/(?:gcloud|gh|google-chrome|chromium)|"
        r"_history\b|\.pgpass|\.vault-token|\.cargo/credentials|\.password-store|Cookies|"
        r"Login Data|\.claude|\.codex|\.cursor|\.mozilla|Keychains|wallet)"
        r"|\bid_(?:rsa|ed25519|ecdsa)\b(?!\.pub)|/etc/shadow|\.aws/credentials"
        r"|/proc/(?:self|1|\d+)/environ|/run/secrets/kubernetes|serviceaccount/token"
        r"|security\s+find-(?:generic|internet)-password|secretsdump|\bcredential\s+fill"
        r"|gh\s+auth\s+token|print-access-token|\bwallet\.dat",
    ),
    (
        "sends what it finds to somebody",
        r"\b(?:env|printenv|set|export -p|declare -x|compgen -v|cat\s+\S*\.env\S*)\s?\|"
        r"\s?(?:\w+\s[^\n|]{0,60}\|\s?)?(?:curl|wget|nc|ncat|netcat|socat|openssl|telnet|"
        r"base64|http|xxd)\b"
        r"|/dev/(?:tcp|udp)/(?!127\.|localhost|\$|::1)"
        r"|\btar\s[^\n|]{0,100}(?:~|\$HOME|/home|/root|/etc|\s\.)[^\n|]{0,60}\|\s?(?:curl|nc|"
        r"ssh|base64)\b"
        r"|\b(?:nc|ncat|netcat)\s+(?:-\w+\s+)*[\w.-]+\.[a-z]{2,}\s+\d+"
        r"|(?:^\W{0,4}|[;&|]\s{0,3})(?:dig|nslookup|host|ping)\s[^\n]{0,60}(?:\$\(|`|\$\{?\w)"
        r"[^\n]{0,60}\.",
    ),
    (
        "hands out the whole environment",
        r"JSON\.stringify\([^\n)]{0,40}process\.env\b(?!\.)"
        r"|(?:dict|str|repr|json\.dumps|urlencode|list|print|pformat|pprint)\(\s?(?:\*\*"
        r")?os\.environ\s?(?:\.(?:items|copy)\(\))?\s?\)"
        r"|(?:json|data|params|content|files|body|headers)\s?[=:]\s?\{?\s?(?:\*\*)?(?:dict\("
        r")?os\.environ\b(?![\[.](?!items|copy))"
        r"|toJSON\(\s?(?:secrets|env|github)\s?\)"
        r"|\.\.\.process\.env\b[^\n]{0,80}(?:fetch|body|send|post)"
        r"|(?:send|post|write|body|log)\w*\([^\n]{0,60}process\.env\b(?![.\[])"
        r"|os\.environ\.(?:copy\(\)|items\(\))[^\n]{0,80}(?:post|send|request)|phpinfo\(",
    ),
    (
        "uploads files or secrets",
        r"\b(?:curl|wget|http|https)\b[^\n]{0,300}(?:-d|--data\S*|-F|--form\S*|-T|"
        r"--upload-file|--post-file|--post-data|--body-file)"
        r"[\s=]{1,3}[\"']?[^\n\s]{0,80}(?:@(?:~|\$HOME|/|\.env|\.git|-)|\$\(|`|"
        r"\$\{?(?:\w*(?:TOKEN|SECRET|KEY|PASSWORD)|\{\s?secrets)|<\()"
        r"|--post-file|\bscp\s[^\n]{0,100}(?:~|\.env|\$HOME|/etc)[^\n]{0,80}:"
        r"|\brsync\s[^\n]{0,100}(?:~|\$HOME|/etc|/home)[^\n]{0,80}:",
    ),
    (
        "prints a secret, or sends it",
        r"\$\{\{\s?secrets\.\w+\s?\}\}[^\n]{0,120}(?:curl|wget|base64|\| rev|echo\b)"
        r"|(?:echo|printf|cat|base64)\b[^\n]{0,80}\$\{\{\s?secrets\."
        r"|\|\s?base64\s*-w\s?0?\s*\|\s?base64",
    ),
    (
        "sends on what should stay secret",
        r"(?:fetch|post|send|sendBeacon|src\s?=|href\s?=|Image)"
        r"\b[^\n]{0,160}(?:document\.cookie|localStorage|sessionStorage)"
        r"|(?:post|send|fetch|capture|track|report|forward|notify)"
        r"\w{0,12}\([^\n]{0,120}(?:headers(?:\[|\.get\(|\.)\W{0,2}authorization|"
        r"request\.(?:cookies|headers)\b|req\.(?:headers|cookies)\b)",
    ),
    (
        "reports to an address of somebody's own",
        r"discord(?:app)?\.com/api/webhooks|api\.telegram\.org/bot[^\n]{0,40}sendDocument"
        r"|hooks\.slack\.com/services/T|script\.google\.com/macros|\bsendBeacon\(|api\.ipify"
        r"|ifconfig\.me|ipinfo\.io|navigator\.clipboard\.read|pyperclip|pynput|ImageGrab"
        r"|getUserMedia",
    ),
)

BREAKS_OUT: Table = (
    (
        "takes all processes, disk or memory",
        r":\(\)\s?\{|fork\(\)[^\n]{0,20}while|while\s+(?:true|:|1)[^\n]{0,40}(?:fork|&\s?done)"
        r"|os\.fork\(\)|ulimit\s+-\w\s+unlimited|\bdd\s[^\n]{0,120}count=\d{4}|fallocate\s"
        r"|stress(?:-ng)?\s",
    ),
    (
        "reaches the machine through the database's server",
        r"\bPROGRAM\s+'|pg_read_(?:binary_)?file|pg_ls_dir|lo_(?:im|ex)port"
        r"|pg_execute_server_program|COPY\b[^\n;]{0,120}(?:FROM|TO)\s+'/"
        r"|CREATE\s+(?:OR\s+REPLACE\s+)?FUNCTION[^\n;]{0,200}LANGUAGE\s+(?:C|plpython\w*|"
        r"plperlu)\b"
        r"|plpython3?u|ALTER\s+SYSTEM|dblink|file_fdw|archive_command|shared_preload",
    ),
    (
        "looks for a way out of the sandbox",
        r"(?<![\w/.-])u?mount\s+(?:-|/)"
        r"|/proc/(?:sys|1/(?:root|ns|environ|mem|cwd)|sysrq|kcore|self/(?:exe|root|ns|mem))"
        r"|/sys/(?:fs|kernel|class)|\bnsenter\b|\bunshare\b|\bchroot\b|\bmknod\b|\bptrace\b"
        r"|LD_PRELOAD|ctypes\.CDLL|\binsmod\b|\bmodprobe\b|\bsysctl\s+-w|capsh|setcap"
        r"|core_pattern|release_agent|\bpivot_root\b|\bbwrap\b|\bstrace\b|\bgdb\b",
    ),
    (
        "writes outside of its folder, or where others will run it",
        r"(?:>|>>|tee\s|cp\s\S+\s|mv\s\S+\s|open\()\s?[\"'(]{0,2}(?:~|\$\{?HOME\}?|/root|"
        r"/home)/?[^\n\s]{0,60}"
        r"|\bcrontab\b|authorized_keys|\.\./\S{0,60}\.git/hooks|\.bashrc|\.bash_profile"
        r"|\.zshrc|\.profile\b|/etc/cron|systemctl\s+enable|launchctl|\.vscode/|\.claude/"
        r"|AGENTS\.md|CLAUDE\.md|\.cursorrules|conftest\.py\s?[\"']?,\s?[\"']w|sitecustomize"
        r"|usercustomize|\.pth\b",
    ),
    (
        "touches what the runner keeps",
        r"\.\./\S{0,60}\.(?:cache|proofs|data)\b|\.proofs\b",
    ),
    (
        "outlives the proof",
        r"\bsetsid\b|\bnohup\b|\bdisown\b|start_new_session\s?=\s?True|detached:\s?true"
        r"|preexec_fn|\bat\s+now\b|systemd-run|\bscreen\s+-d|\btmux\s+new",
    ),
    (
        "ends processes that are not its own",
        r"kill\s+(?:-\w+\s+)*-1\b|\bpkill\b|\bkillall\b|os\.kill\(\s?(?:1|-1)\b|os\.killpg",
    ),
    (
        "looks where it runs, and may behave by it",
        r"(?:\$\{?(?:CI|GITHUB_ACTIONS|COMMONTRACE\w*|PROOF\w*|SANDBOX\w*)\b|"
        r"environ\w*[\[.(]{1,5}[\"'](?:CI|GITHUB_ACTIONS)\b|/\.dockerenv|/proc/1/cgroup|"
        r"systemd-detect-virt)[^\n]{0,80}",
    ),
    (
        "may pass without having proven anything",
        r"^\s*(?:exit\s+0|true)\s*$(?=[\s\S]{0,2000}\S)|^\s*(?:true|:)\s*(?:\|\||#)"
        r"|\btrap\s+[\"'](?:exit\s+0|true)|set\s\+e\b|^exit 0\s*;",
    ),
)

MOUNTS: Table = (
    (
        "mounts the host, or its engine",
        r"(?:-v|--volume|--mount)[\s=][\"']?(?:type=bind,)?(?:source=|src=)?/(?:etc|root|home|"
        r"var/run|proc|sys)?(?::|,|/?:)"
        r"|docker\.sock|volumes:[^\n]{0,20}\n\s+-\s[\"']?/:|unix-socket",
    ),
)

TOGETHER = (
    (
        "lets every site act in the user's name",
        r"allow_origins\s?=\s?\[\s?[\"']\*|allow_origin_regex\s?=\s?r?[\"']\.\*"
        r"|origin:\s?(?:true|[\"']\*)|Allow-Origin[\"']?[:,=\s]{1,3}[\"']?(?:\*|\$http_origin)",
        r"allow_credentials\s?=\s?True|credentials:\s?true|Allow-Credentials",
    ),
    (
        "runs a stranger's code with the repository's rights",
        r"pull_request_target|workflow_run",
        r"head\.(?:sha|ref)|head_sha|refs/pull",
    ),
)
"""Two patterns that are harmless one by one."""
