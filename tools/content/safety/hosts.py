"""Hosts: those that hide where they lead, those that take anything, those that seeds name."""

from __future__ import annotations

SHORTENERS = frozenset({
    "bit.ly", "tinyurl.com", "t.co", "goo.gl", "is.gd", "v.gd", "ow.ly", "buff.ly", "rebrand.ly",
    "cutt.ly", "rb.gy", "t.ly", "s.id", "shorturl.at", "tiny.cc", "lnkd.in", "adf.ly", "bl.ink",
    "short.io", "dub.sh", "dub.co", "u.nu", "qr.ae", "x.gd", "0x0.st",
})  # fmt: skip
COLLECTORS = frozenset({
    "webhook.site", "requestbin.com", "requestbin.net", "pipedream.net", "m.pipedream.net",
    "ngrok.io", "ngrok.app", "ngrok-free.app", "trycloudflare.com", "loca.lt", "serveo.net",
    "oast.fun", "oast.pro", "oast.live", "oast.site", "oast.online", "oast.me", "interact.sh",
    "burpcollaborator.net", "oastify.com", "dnslog.cn", "beeceptor.com", "requestcatcher.com",
    "transfer.sh", "file.io", "pastebin.com", "paste.ee", "hastebin.com", "ghostbin.com",
    "dpaste.org", "termbin.com", "ix.io", "anonfiles.com", "gofile.io", "temp.sh",
    "bashupload.com",
})  # fmt: skip
"""Services that take anything from anybody, and hand it on: nothing lasting stands there."""
KNOWN_DOMAINS = frozenset({
    "github.com", "github.io", "githubstatus.com", "python.org", "readthedocs.io",
    "fastapi.tiangolo.com", "pydantic.dev", "sqlalchemy.org", "sqlalche.me", "starlette.io",
    "uvicorn.org", "pytest.org", "astral.sh", "postgresql.org", "redis.io", "nginx.org",
    "docker.com", "mozilla.org", "nodejs.org", "react.dev", "reactjs.org", "nextjs.org",
    "vercel.com", "vitejs.dev", "vite.dev", "vitest.dev", "jestjs.io", "typescriptlang.org",
    "testing-library.com", "playwright.dev", "w3.org", "ietf.org", "rfc-editor.org", "stripe.com",
    "slack.com", "openai.com", "anthropic.com", "google.com", "googleapis.com", "amazonaws.com",
    "aws.amazon.com", "microsoft.com", "azure.com", "apple.com", "telegram.org", "sendgrid.com",
    "twilio.com", "json-schema.org", "schemastore.org", "yaml.org", "toml.io", "git-scm.com",
    "git.new", "alembic.sqlalchemy.org", "foo.bar", "mycompany.com",
})  # fmt: skip
"""Domains that seeds name, and the documentation of what they use."""
