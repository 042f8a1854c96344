"""The SQL of the import; `tools.importing.importer` says in which order.

Only columns of the design are named, whatever else the target's tables have. Casts between json and
jsonb are left to PostgreSQL, so that `metadata_json` may be of either type.
"""

from app.database.notifications import TRACES_CHANGED

NEEDED_COLUMNS = {
    "users": ["id", "email", "display_name", "is_seed", "created_at", "updated_at"],
    "traces": [
        "id",
        "title",
        "context_text",
        "solution_text",
        "embedding",
        "embedding_model_id",
        "embedding_model_version",
        "status",
        "trust_score",
        "confirmation_count",
        "contributor_id",
        "agent_model",
        "agent_version",
        "metadata_json",
        "is_seed",
        "created_at",
        "updated_at",
    ],
    "tags": ["id", "name", "is_curated", "created_at"],
    "trace_tags": ["trace_id", "tag_id"],
}

LOCK = "SELECT pg_advisory_xact_lock(:key)"

NOTIFY = f"SELECT pg_notify('{TRACES_CHANGED}', '')"
"""Wakes the embedding workers when the transaction commits."""

INSERT_SEED_USER = """
INSERT INTO users (id, email, display_name, is_seed, created_at, updated_at)
VALUES (gen_random_uuid(), :email, :display_name, true, now(), now())
ON CONFLICT (email) DO NOTHING
"""

SELECT_SEED_USER = "SELECT id FROM users WHERE email = :email"

CREATE_STAGE = (
    """
    CREATE TEMPORARY TABLE seed (
        slug text PRIMARY KEY,
        title text UNIQUE,
        id uuid,
        content_hash text,
        tags text[],
        agent_model text,
        agent_version text,
        metadata jsonb
    ) ON COMMIT DROP
    """,
    """
    CREATE TEMPORARY TABLE seed_text (
        slug text PRIMARY KEY,
        context_text text,
        solution_text text
    ) ON COMMIT DROP
    """,
    """
    CREATE TEMPORARY TABLE plan (
        action text,
        slug text,
        id uuid PRIMARY KEY,
        content_changed boolean,
        metadata jsonb
    ) ON COMMIT DROP
    """,
)
"""`seed`: all that identifies a seed and shows whether it changed. `seed_text`: the long texts of
those that will be written. `plan`: what happens to which row of `traces`."""

SEED_COLUMNS = (
    "slug",
    "title",
    "id",
    "content_hash",
    "tags",
    "agent_model",
    "agent_version",
    "metadata",
)
SEED_TEXT_COLUMNS = ("slug", "context_text", "solution_text")

# The content hash is taken of the row as it is now, not of what metadata_json says it once was, so
# that an edit in the database is found, too. \x1f is FIELD_SEPARATOR of tools.fixture.reader.
MAKE_PLAN = r"""
WITH tag_names AS (
    SELECT tt.trace_id, string_agg(g.name, E'\x1f' ORDER BY g.name COLLATE "C") AS names
    FROM traces t
    JOIN trace_tags tt ON tt.trace_id = t.id
    JOIN tags g ON g.id = tt.tag_id
    WHERE t.is_seed
    GROUP BY tt.trace_id
),
stored AS (
    SELECT
        t.id,
        t.title,
        t.created_at,
        t.agent_model,
        t.agent_version,
        t.metadata_json ->> 'slug' AS slug,
        CASE jsonb_typeof(t.metadata_json::jsonb)
            WHEN 'object' THEN t.metadata_json::jsonb ELSE '{}'
        END AS metadata,
        encode(
            sha256(
                convert_to(
                    concat_ws(E'\x1f', t.title, t.context_text, t.solution_text, n.names), 'UTF8'
                )
            ),
            'hex'
        ) AS content_hash
    FROM traces t
    LEFT JOIN tag_names n ON n.trace_id = t.id
    WHERE t.is_seed
),
by_slug AS (
    SELECT DISTINCT ON (slug) slug, stored.id
    FROM seed JOIN stored USING (slug)
    ORDER BY slug, stored.created_at, stored.id
),
by_title AS (
    SELECT DISTINCT ON (seed.slug) seed.slug, stored.id
    FROM seed JOIN stored USING (title)
    WHERE NOT EXISTS (SELECT FROM by_slug WHERE by_slug.slug = seed.slug)
        AND NOT EXISTS (SELECT FROM by_slug WHERE by_slug.id = stored.id)
    ORDER BY seed.slug, stored.created_at, stored.id
),
matched AS (
    SELECT slug, id FROM by_slug UNION ALL SELECT slug, id FROM by_title
)
INSERT INTO plan (action, slug, id, content_changed, metadata)
SELECT
    CASE
        WHEN stored.id IS NULL THEN 'insert'
        WHEN stored.content_hash = seed.content_hash
            AND stored.agent_model IS NOT DISTINCT FROM seed.agent_model
            AND stored.agent_version IS NOT DISTINCT FROM seed.agent_version
            AND stored.metadata = stored.metadata || seed.metadata
        THEN 'skip'
        ELSE 'update'
    END,
    seed.slug,
    -- A moved seed keeps its row and id, so a new seed at its old place finds the id taken.
    coalesce(
        stored.id,
        CASE
            WHEN EXISTS (SELECT FROM traces t WHERE t.id = seed.id) THEN gen_random_uuid()
            ELSE seed.id
        END
    ),
    stored.content_hash IS DISTINCT FROM seed.content_hash,
    coalesce(stored.metadata, '{}') || seed.metadata
FROM seed
LEFT JOIN matched USING (slug)
LEFT JOIN stored ON stored.id = matched.id
UNION ALL
-- Rows that say no slug came from elsewhere, so nothing shows that a fixture once held them.
SELECT 'prune', stored.slug, stored.id, false, stored.metadata
FROM stored
WHERE :prune
    AND stored.slug IS NOT NULL
    AND NOT EXISTS (SELECT FROM matched WHERE matched.id = stored.id)
"""

COUNT_PLAN = "SELECT action, count(*) AS traces FROM plan GROUP BY action"

SLUGS_TO_WRITE = "SELECT slug FROM plan WHERE action IN ('insert', 'update')"

LIST_CHANGES = """
SELECT
    plan.action,
    plan.slug,
    coalesce(seed.title, t.title) AS title,
    CASE WHEN plan.action = 'update' THEN concat_ws(
        ', ',
        CASE WHEN t.metadata_json ->> 'slug' IS DISTINCT FROM seed.slug THEN 'slug' END,
        CASE WHEN t.title <> seed.title THEN 'title' END,
        CASE WHEN t.context_text <> seed_text.context_text THEN 'context' END,
        CASE WHEN t.solution_text <> seed_text.solution_text THEN 'solution' END,
        CASE WHEN seed.tags <> ARRAY(
            SELECT g.name::text
            FROM trace_tags tt
            JOIN tags g ON g.id = tt.tag_id
            WHERE tt.trace_id = t.id
            ORDER BY g.name COLLATE "C"
        ) THEN 'tags' END,
        CASE WHEN t.agent_model IS DISTINCT FROM seed.agent_model THEN 'agent_model' END,
        CASE WHEN t.agent_version IS DISTINCT FROM seed.agent_version THEN 'agent_version' END,
        CASE WHEN t.metadata_json::jsonb IS DISTINCT FROM plan.metadata THEN 'metadata' END
    ) END AS fields
FROM plan
LEFT JOIN traces t USING (id)
LEFT JOIN seed ON seed.slug = plan.slug AND plan.action <> 'prune'
LEFT JOIN seed_text ON seed_text.slug = seed.slug
WHERE plan.action <> 'skip'
ORDER BY plan.action, plan.slug
"""

INSERT_TRACES = """
INSERT INTO traces (
    id, title, context_text, solution_text, status, trust_score, confirmation_count,
    contributor_id, agent_model, agent_version, metadata_json, is_seed, created_at, updated_at
)
SELECT
    plan.id, seed.title, seed_text.context_text, seed_text.solution_text, :status, 1.0, 2,
    :contributor_id, seed.agent_model, seed.agent_version, plan.metadata, true, now(), now()
FROM plan
JOIN seed USING (slug)
JOIN seed_text USING (slug)
WHERE plan.action = 'insert'
"""

# What people have made of the trace since (trust, confirmations, status) stays theirs.
UPDATE_TRACES = """
UPDATE traces t
SET title = seed.title,
    context_text = seed_text.context_text,
    solution_text = seed_text.solution_text,
    agent_model = seed.agent_model,
    agent_version = seed.agent_version,
    metadata_json = plan.metadata,
    embedding = CASE WHEN plan.content_changed THEN NULL ELSE t.embedding END,
    embedding_model_id = CASE WHEN plan.content_changed THEN NULL ELSE t.embedding_model_id END,
    embedding_model_version =
        CASE WHEN plan.content_changed THEN NULL ELSE t.embedding_model_version END,
    updated_at = now()
FROM plan
JOIN seed USING (slug)
JOIN seed_text USING (slug)
WHERE plan.action = 'update' AND t.id = plan.id
"""

# In order of name, so that two transactions that add the same tags cannot deadlock.
INSERT_TAGS = """
INSERT INTO tags (id, name, is_curated, created_at)
SELECT gen_random_uuid(), name, true, now()
FROM (
    SELECT DISTINCT unnest(seed.tags) AS name
    FROM seed JOIN plan USING (slug)
    WHERE plan.action IN ('insert', 'update')
) AS names
ORDER BY name
ON CONFLICT (name) DO NOTHING
"""

# Also before their traces are deleted, because a target's foreign key need not cascade.
DELETE_TRACE_TAGS = """
DELETE FROM trace_tags tt
USING plan LEFT JOIN seed ON seed.slug = plan.slug AND plan.action = 'update', tags g
WHERE plan.action IN ('update', 'prune')
    AND tt.trace_id = plan.id
    AND g.id = tt.tag_id
    AND (plan.action = 'prune' OR g.name <> ALL (seed.tags))
"""

INSERT_TRACE_TAGS = """
INSERT INTO trace_tags (trace_id, tag_id)
SELECT plan.id, g.id
FROM plan
JOIN seed USING (slug)
CROSS JOIN unnest(seed.tags) AS wanted (name)
JOIN tags g ON g.name = wanted.name
WHERE plan.action IN ('insert', 'update')
ON CONFLICT DO NOTHING
"""

PRUNE_TRACES = "DELETE FROM traces t USING plan WHERE plan.action = 'prune' AND t.id = plan.id"
