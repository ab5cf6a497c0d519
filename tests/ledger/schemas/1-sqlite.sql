-- The ledger's tables as version 1 made them, before there were migrations. Never edited.
---
CREATE TABLE landed_about (
    "key" TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY ("key")
)
---
CREATE TABLE landed_accounts (
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    email TEXT,
    admin BOOLEAN NOT NULL,
    auditor BOOLEAN NOT NULL,
    active BOOLEAN NOT NULL,
    language TEXT NOT NULL,
    password TEXT,
    created_at TEXT NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (email)
)
---
CREATE TABLE landed_arms (
    project TEXT NOT NULL,
    stage TEXT NOT NULL,
    inputs TEXT NOT NULL,
    content TEXT NOT NULL,
    at TEXT NOT NULL,
    PRIMARY KEY (project, stage)
)
---
CREATE TABLE landed_deliveries (
    project TEXT NOT NULL,
    number INTEGER NOT NULL,
    digest TEXT NOT NULL,
    name TEXT NOT NULL,
    at TEXT NOT NULL,
    new INTEGER NOT NULL,
    corrected INTEGER NOT NULL,
    unchanged INTEGER NOT NULL,
    late INTEGER NOT NULL,
    PRIMARY KEY (project, number)
)
---
CREATE TABLE landed_events (
    seq INTEGER NOT NULL,
    at TEXT NOT NULL,
    actor TEXT NOT NULL,
    role TEXT NOT NULL,
    kind TEXT NOT NULL,
    project TEXT NOT NULL,
    subject TEXT NOT NULL,
    body TEXT NOT NULL,
    previous TEXT NOT NULL,
    hash TEXT NOT NULL,
    PRIMARY KEY (seq)
)
---
CREATE INDEX ix_landed_events_project ON landed_events (project)
---
CREATE INDEX ix_landed_events_subject ON landed_events (subject)
---
CREATE TABLE landed_intents (
    "key" TEXT NOT NULL,
    kind TEXT NOT NULL,
    project TEXT NOT NULL,
    payload TEXT NOT NULL,
    event BIGINT NOT NULL,
    created_at TEXT NOT NULL,
    done_at TEXT,
    PRIMARY KEY ("key")
)
---
CREATE TABLE landed_iterations (
    project TEXT NOT NULL,
    number INTEGER NOT NULL,
    stage TEXT NOT NULL,
    position INTEGER NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    charter TEXT NOT NULL,
    charter_digest TEXT NOT NULL,
    why TEXT NOT NULL,
    started_by TEXT NOT NULL,
    mlflow_run TEXT,
    report_digest TEXT,
    result TEXT,
    opened_at TEXT NOT NULL,
    changed_at TEXT NOT NULL,
    PRIMARY KEY (project, number, stage),
    UNIQUE (project, position)
)
---
CREATE TABLE landed_leases (
    "key" TEXT NOT NULL,
    project TEXT NOT NULL,
    holder TEXT NOT NULL,
    token BIGINT NOT NULL,
    beat BIGINT NOT NULL,
    PRIMARY KEY ("key")
)
---
CREATE TABLE landed_releases (
    project TEXT NOT NULL,
    position INTEGER NOT NULL,
    parent INTEGER,
    action TEXT NOT NULL,
    content TEXT NOT NULL,
    review TEXT NOT NULL,
    at TEXT NOT NULL,
    PRIMARY KEY (project, position),
    UNIQUE (review)
)
---
CREATE TABLE landed_throttle (
    "key" TEXT NOT NULL,
    failures INTEGER NOT NULL,
    last_at TEXT NOT NULL,
    closed_until TEXT NOT NULL,
    PRIMARY KEY ("key")
)
---
CREATE TABLE landed_work (
    "key" TEXT NOT NULL,
    kind TEXT NOT NULL,
    value TEXT NOT NULL,
    at TEXT NOT NULL,
    PRIMARY KEY ("key")
)
---
CREATE TABLE landed_api_tokens (
    id TEXT NOT NULL,
    digest TEXT NOT NULL,
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    read_only BOOLEAN NOT NULL,
    made_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    last_used_at TEXT,
    revoked_at TEXT,
    PRIMARY KEY (id),
    FOREIGN KEY(account) REFERENCES landed_accounts (id),
    UNIQUE (digest)
)
---
CREATE INDEX ix_landed_api_tokens_account ON landed_api_tokens (account)
---
CREATE TABLE landed_delegations (
    id TEXT NOT NULL,
    project TEXT NOT NULL,
    giver TEXT NOT NULL,
    delegate TEXT NOT NULL,
    role TEXT NOT NULL,
    starts TEXT NOT NULL,
    ends TEXT NOT NULL,
    made_at TEXT NOT NULL,
    ended_at TEXT,
    event BIGINT NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(event) REFERENCES landed_events (seq)
)
---
CREATE INDEX ix_landed_delegations_delegate ON landed_delegations (delegate)
---
CREATE INDEX ix_landed_delegations_project ON landed_delegations (project)
---
CREATE TABLE landed_invitations (
    digest TEXT NOT NULL,
    account TEXT NOT NULL,
    purpose TEXT NOT NULL,
    made_by TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    used_at TEXT,
    PRIMARY KEY (digest),
    FOREIGN KEY(account) REFERENCES landed_accounts (id)
)
---
CREATE INDEX ix_landed_invitations_account ON landed_invitations (account)
---
CREATE TABLE landed_notices (
    "key" TEXT NOT NULL,
    tries INTEGER NOT NULL,
    next_at TEXT NOT NULL,
    PRIMARY KEY ("key"),
    FOREIGN KEY("key") REFERENCES landed_intents ("key")
)
---
CREATE TABLE landed_observations (
    project TEXT NOT NULL,
    period TEXT NOT NULL,
    dataset TEXT NOT NULL,
    figures TEXT NOT NULL,
    at TEXT NOT NULL,
    event BIGINT NOT NULL,
    PRIMARY KEY (project, period, dataset),
    FOREIGN KEY(event) REFERENCES landed_events (seq)
)
---
CREATE TABLE landed_reviews (
    id TEXT NOT NULL,
    project TEXT NOT NULL,
    number INTEGER NOT NULL,
    stage TEXT NOT NULL,
    revision INTEGER NOT NULL,
    report_digest TEXT NOT NULL,
    requested_by TEXT NOT NULL,
    opened_at TEXT NOT NULL,
    due_at TEXT NOT NULL,
    allowed TEXT NOT NULL,
    signers TEXT NOT NULL,
    blocking TEXT NOT NULL,
    state TEXT NOT NULL,
    decision TEXT,
    decided_at TEXT,
    PRIMARY KEY (id),
    UNIQUE (project, number, stage, revision),
    FOREIGN KEY(project, number, stage) REFERENCES landed_iterations (project, number, stage)
)
---
CREATE TABLE landed_sessions (
    digest TEXT NOT NULL,
    account TEXT NOT NULL,
    method TEXT NOT NULL,
    begun_at TEXT NOT NULL,
    seen_at TEXT NOT NULL,
    PRIMARY KEY (digest),
    FOREIGN KEY(account) REFERENCES landed_accounts (id)
)
---
CREATE INDEX ix_landed_sessions_account ON landed_sessions (account)
---
CREATE TABLE landed_applied (
    review TEXT NOT NULL,
    decision TEXT NOT NULL,
    charter_digest TEXT NOT NULL,
    at TEXT NOT NULL,
    PRIMARY KEY (review),
    FOREIGN KEY(review) REFERENCES landed_reviews (id)
)
---
CREATE TABLE landed_feedback_items (
    project TEXT NOT NULL,
    id TEXT NOT NULL,
    review TEXT NOT NULL,
    event BIGINT NOT NULL,
    place INTEGER NOT NULL,
    signed_by TEXT NOT NULL,
    content TEXT NOT NULL,
    status TEXT NOT NULL,
    reason TEXT NOT NULL,
    effect TEXT,
    PRIMARY KEY (project, id),
    FOREIGN KEY(review) REFERENCES landed_reviews (id)
)
---
CREATE TABLE landed_signoffs (
    review TEXT NOT NULL,
    person TEXT NOT NULL,
    role TEXT NOT NULL,
    decision TEXT NOT NULL,
    comment TEXT NOT NULL,
    report_digest TEXT NOT NULL,
    recorded BOOLEAN NOT NULL,
    on_behalf_of TEXT,
    at TEXT NOT NULL,
    event BIGINT NOT NULL,
    PRIMARY KEY (review, person),
    UNIQUE (review, role),
    FOREIGN KEY(review) REFERENCES landed_reviews (id),
    FOREIGN KEY(event) REFERENCES landed_events (seq)
)
---
CREATE TRIGGER IF NOT EXISTS landed_events_no_update BEFORE UPDATE ON landed_events
       BEGIN SELECT RAISE(ABORT, 'append-only: an event is never changed'); END
---
CREATE TRIGGER IF NOT EXISTS landed_events_no_delete BEFORE DELETE ON landed_events
       BEGIN SELECT RAISE(ABORT, 'append-only: an event is never deleted'); END
---
CREATE TRIGGER IF NOT EXISTS landed_events_in_order BEFORE INSERT ON landed_events
       WHEN NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM landed_events)
       BEGIN SELECT RAISE(ABORT, 'append-only: an event follows the last one'); END
---
INSERT INTO landed_about (key, value) VALUES ('schema', '1')
