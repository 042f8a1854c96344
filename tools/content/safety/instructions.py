"""Words that instruct the agent that reads a seed."""

from __future__ import annotations

import html
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from tools.content.safety.passages import Passage, Problem, prose, whole

if TYPE_CHECKING:
    from tools.content.seed_file import Seed

MARKS = re.compile(r"[*_~`>|\\]+|^\s*(?:#+|//+|--+|/\*+|;+|[-+]\s|\d+[.)]\s)", re.MULTILINE)
"""What Markdown and comments put around and before words."""
AGENT = (
    r"(?:ai|llm|assistant|agent|model|claude|chatgpt|gpt|copilot|cursor|codex|gemini|chatbot|bot)s?"
)
PATTERNS = (
    (
        r"(?:ignore|disregard|forget|override|bypass|discard|drop)(?: all| any| the| your| my| of| "
        r"these| those| every)* (?:previous|prior|above|earlier|other|preceding|former|existing|"
        r"original|system|safety)(?: \w+)? (?:instruction|rule|prompt|message|guideline|direction|"
        r"polic|context|constraint|command)"
    ),
    (
        r"(?:ignore|disregard|forget|override)(?: all| any| of)*(?: the| your| these) "
        r"(?:instructions|guidelines|guardrails|directives|safety rules|system prompt)"
    ),
    (
        r"(?:ignore|disregard|forget) (?:everything|anything|what(?:ever)?)(?: that)?(?: was| is| "
        r"you)? (?:above|before|said|told|were|have been|read)"
    ),
    (
        r"(?:dear|attention,?|hey,?|hello,?|(?:notes?|instructions?|messages?|hints?|reminders?) "
        rf"(?:to|for)) (?:the |any |all |every )?(?:reading |coding |ai |"
        rf"automated |autonomous )*{AGENT}\b"
    ),
    (
        r"(?:if|when|since|because|as|whenever|should) (?:you are|you're|you be) (?:an? |the "
        rf")?(?:ai |llm |large |language |coding |automated |autonomous |reading )*{AGENT}\b"
    ),
    r"\bas an? (?:ai|llm|(?:large )?language model|(?:ai|coding) (?:agent|assistant))\b",
    (
        r"\b(?:ai|llm|coding|autonomous|language) ?(?:agents?|assistants?|models?|tools?|bots?)? "
        r"(?:reading|processing|parsing|that reads?|who reads?|which reads?|using|consuming) "
        r"(?:this|these)\b"
    ),
    (
        r"\byou are (?:now|henceforth|from now on|no longer) (?:an? |the |in |bound |dan\b|free|"
        r"allowed|permitted)"
    ),
    (
        r"\byou(?: will| shall| must| are to)? (?:now |from now on )?(?:act|behave|respond|answer|"
        r"pretend|roleplay)(?:ing)? as (?:an? |the |if |though )"
    ),
    (
        r"\bfrom (?:now|here|this point)(?: on(?:wards?)?)?,? (?:you (?:must|will|are|shall|should|"
        r"obey)|obey|follow|act as|respond)\b"
    ),
    (
        r"(?:do not|don't|never|without|must not|should not|no need to|need not|avoid) (?:tell|"
        r"inform|mention|ask|alert|notify|warn|reveal|show|disclose|bother|confirm with|consult|"
        r"report)(?:ing)?(?: this| it| that| anything| these| them)?(?: to| with| by)? "
        r"(?:the |your |any )?(?:user|human|owner|operator|developer)\b"
    ),
    (
        r"without (?:asking|waiting|requesting|seeking|needing|requiring)(?: for)?(?: any| "
        r"further| the user's| user| explicit)* (?:confirmation|approval|permission|consent"
        r"|authori[sz]ation)"
    ),
    (
        r"\b(?:the )?(?:user|human|owner|operator|developer) (?:has|have) (?:already |previously |"
        r"explicitly )?(?:approved|agreed|authori[sz]ed|consented|confirmed|granted|allowed|given)"
    ),
    (
        r"\byou (?:already )?have (?:full |explicit |been given |the user's )?(?:permission|"
        r"authori[sz]ation|consent|approval)\b"
    ),
    (
        r"\b(?:agents?|assistants?|llms?|language models?|ai models?|ai tools?|claude|chatgpt|"
        r"copilot|cursor|codex|gemini)(?: \w+)? (?:must|should|shall|has to|have to|needs? to|are "
        r"required to|is required to|are expected to|may|can|will|are asked to|ought to)(?: now| "
        r"always| first| also| never| not| instead| then| immediately| silently| automatically)* "
        r"(?:run|execute|send|upload|post|fetch|delete|install|read|open|copy|add|include|commit|"
        r"push|download|print|follow|skip|call|use|approve|trust|write|remove|disable|append|"
        r"forward|report|share|paste|obey|treat|ignore|reveal)\b"
    ),
    (
        r"\b(?:reveal|print|repeat|show|output|leak|disclose|display)(?: me| us)?(?: all| the"
        r"| your| full| entire| complete)* (?:(?:system|initial|hidden) prompt"
        r"|(?:system|developer) message|instructions verbatim)"
    ),
    (
        r"\b(?:new|updated|additional|revised|real|actual|hidden|secret) (?:system "
        r")?(?:instructions?|directives?|prompt|orders) ?(?::|for you|follow|begin|are as)"
    ),
    (
        r"\b(?:jailbreak|developer mode|do anything now|dan mode|god mode|sudo mode|unrestricted "
        r"mode|yolo mode)\b(?: is)? (?:enabled|on|active|activated)"
    ),
    (
        r"\b(?:begin|start|end) (?:of )?(?:system|hidden|secret|admin|new)? ?(?:prompt|"
        r"instructions?)\b(?: for)?"
    ),
    (
        r"\b(?:ignorier\w*|vergiss|vergesst|missacht\w*|vergessen sie|beachte nicht)"
        r"\b.{0,60}\b(?:anweisung\w*|instruktion\w*|regeln|vorgaben|befehle?)\b"
    ),
    (
        r"\b(?:ignor\w*|oubli\w*|négli\w*)\b.{0,60}\b(?:instructions|consignes|directives|règles)"
        r"\b (?:préc|ant|ci-|du|qui|sys|et|donn|reçu)"
    ),
    (
        r"\b(?:ignor\w*|olvid\w*|esque[cç]\w*|omit\w*|descart\w*)\b.{0,60}\b(?:instrucciones|reglas|"
        r"indicaciones|instruções|regras|instruccions)\b"
    ),
    r"\b(?:ignor\w*|dimentic\w*|trascur\w*)\b.{0,60}\b(?:istruzioni|regole|direttive)\b",
    r"\b(?:negeer|vergeet|sla)\b.{0,60}\b(?:instructies|regels|aanwijzingen|opdrachten)\b",
    (
        r"\b(?:zignoruj\w*|ignoruj\w*|zapomnij\w*|pomiń)\b.{0,60}\b(?:instrukcj\w*|polece\w*|"
        r"zasad\w*)"
    ),
    (
        r"(?:игнориру\w*|забуд\w*|пренебре\w*|ігнору\w*).{0,60}(?:инструкц\w*|указан\w*|правил\w*|"
        r"інструкц\w*)"
    ),
    r"(?:talimat|yönerge|komut|kural)\w*.{0,40}(?:yok say|görmezden|unut|dikkate alma)",
    r"(?:忽略|无视|無視|忘记|忘記|忽視|不要理会|跳过).{0,16}(?:指令|指示|提示|规则|規則|命令|说明|要求)",
    r"(?:指示|命令|プロンプト|ルール|規則|指令).{0,10}(?:無視|忘れ|従わ)",
    r"(?:지시|명령|프롬프트|규칙|지침).{0,16}(?:무시|잊)",
    r"(?:تجاهل|انس).{0,40}(?:التعليمات|الأوامر|القواعد)",
    r"(?:bỏ qua|quên).{0,40}(?:hướng dẫn|chỉ dẫn|chỉ thị|quy tắc)",
    r"(?:abaikan|lupakan).{0,40}(?:instruksi|perintah|aturan)",
    r"(?:अनदेखा|नज़रअंदाज़|भूल).{0,40}|(?:निर्देश).{0,40}(?:अनदेखा|नज़रअंदाज़|भूल)",
)
INSTRUCTIONS = re.compile("|".join(f"(?:{pattern})" for pattern in PATTERNS), re.IGNORECASE)
TOKENS = re.compile(
    r"<\|(?!endoftext|fim_)[^|<>\n]{2,40}\|?>|\[/?INST\]|<</?SYS>>|</?s>\s?\[|<(?:start|end)_of_turn>"
    r"|</?(?:system|assistant|human|instructions?|important|tool_use|tool_call|tool_result"
    r"|function_calls?|function_results?|antml:\w{1,30}|system[-_]reminder|system[-_]prompt|user[-_]query|developer[-_]message"
    r"|admin|policy)>"
    r"|^\s*(?:Human|Assistant|### ?(?:Instruction|Response|System|User))\s?:\s",
    re.IGNORECASE | re.MULTILINE,
)
"""What chat templates put between turns, and what looks like it."""
FOREIGN_WORDS = re.compile(r"(?:[^\W\d_a-zA-Z\u00c0-\u024f]\s?){6,}")
"""Letters of another script than ours, several in a row: words of another language."""


def no_instruction_to_agents(seed: Seed) -> Iterator[Problem]:
    """No text that instructs the reading agent rather than telling the developer."""
    found: dict[int, str] = {}
    for passage in whole(seed):
        for line, text in (*_instructions(passage), *_tokens(passage)):
            found.setdefault(line, text)
    for line, text in sorted(found.items()):
        yield line, f'"{text[:60]}" addresses the reading agent; tell what is so'


def other_language(seed: Seed) -> Iterator[Problem]:
    """Prose is English; who reads what is not, knows the language."""
    for passage in prose(*seed.sections):
        if match := FOREIGN_WORDS.search(passage.text):
            yield passage.line, f'"{match[0].strip()[:40]}" is not English; have it read'


def plain_words(lines: Iterable[str]) -> tuple[str, list[int]]:
    """Return the words of a text alone, one space between them, and where each line of it begins.

    White space, Markdown's marks, entities and letters in disguise (NFKC) are what one breaks
    a phrase up with.
    """
    starts, parts, length = [], [], 0
    for line in lines:
        words = MARKS.sub("", unicodedata.normalize("NFKC", html.unescape(line)))
        part = " ".join(MARKS.sub("", words.replace("\u2019", "'")).split())
        starts.append(length)
        if part:
            parts.append(part)
            length += len(part) + 1
    return " ".join(parts), starts


def _instructions(passage: Passage) -> Iterator[tuple[int, str]]:
    text, starts = plain_words(passage.text.split("\n"))
    for match in INSTRUCTIONS.finditer(text):
        yield passage.line + bisect_right(starts, match.start()) - 1, match[0]


def _tokens(passage: Passage) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(passage.text.split("\n")):
        if match := TOKENS.search(unicodedata.normalize("NFKC", html.unescape(line))):
            yield passage.line + number, match[0].strip()
