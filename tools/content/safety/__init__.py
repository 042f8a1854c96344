"""What a seed must not contain, because an agent will read it with its owner's rights.

Each rule takes a seed and yields `(line, message)`; its id is its name with hyphens. What breaks
one of RULES is refused; what breaks one of HINTS is shown to the person who reads the seed.
What none of them can see is told in SECURITY.md.
"""

from __future__ import annotations

from tools.content.safety.characters import (
    no_disguised_code,
    no_homoglyph,
    no_invisible_character,
    plain_title,
)
from tools.content.safety.harm import (
    destroys_data,
    leaves_the_sandbox,
    sends_secrets_away,
    weakens_security,
)
from tools.content.safety.hidden import no_blob, no_hidden_text, no_raw_html
from tools.content.safety.images import unpinned_action, unpinned_image
from tools.content.safety.instructions import no_instruction_to_agents, other_language
from tools.content.safety.links import safe_link, safe_url, unknown_host
from tools.content.safety.packages import unpinned_package
from tools.content.safety.secrets import no_secret
from tools.content.safety.unseen_code import no_unseen_code

RULES = (
    no_secret,
    no_invisible_character,
    plain_title,
    no_homoglyph,
    no_disguised_code,
    no_raw_html,
    no_hidden_text,
    no_instruction_to_agents,
    no_unseen_code,
    no_blob,
    safe_url,
    safe_link,
)
HINTS = (
    unpinned_package,
    unpinned_action,
    unpinned_image,
    unknown_host,
    other_language,
    weakens_security,
    destroys_data,
    sends_secrets_away,
    leaves_the_sandbox,
)
