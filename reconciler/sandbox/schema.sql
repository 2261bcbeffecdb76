-- The store. An object's unchanging and rarely changing attributes are kept as JSON text (`head`: the object without its
-- closing brace), because a page is then a join of texts; encoding a page of rows again costs ten times as much.
-- What other objects decide (a user's handle, a workspace's host) is joined in by the views, so that a rename
-- rewrites one row.

CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- Users and orgs share one namespace of handles; `row` is what identity_get answers.
CREATE TABLE identity (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    handle TEXT NOT NULL UNIQUE,
    type TEXT NOT NULL,
    display_name TEXT NOT NULL,
    row TEXT NOT NULL
);

CREATE TABLE tenant (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    handle TEXT NOT NULL UNIQUE,
    token_min TEXT NOT NULL DEFAULT '',
    created_by TEXT NOT NULL,
    updated_by TEXT NOT NULL,
    head TEXT NOT NULL
);

-- A deleted user stays, without its handle: others' created_by points to it.
CREATE TABLE user (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    handle TEXT NOT NULL,
    tenant_id TEXT NOT NULL,
    display_name TEXT NOT NULL,
    service INTEGER NOT NULL DEFAULT 0,
    org_limit INTEGER,
    token_min TEXT NOT NULL DEFAULT '',
    deleted INTEGER NOT NULL DEFAULT 0,
    head TEXT NOT NULL
);

CREATE TABLE email (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id TEXT NOT NULL REFERENCES user (id),
    email TEXT NOT NULL UNIQUE COLLATE NOCASE,
    head TEXT NOT NULL
);
CREATE INDEX email_user ON email (user_id);

CREATE TABLE token (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    user_id TEXT NOT NULL REFERENCES user (id),
    secret TEXT NOT NULL UNIQUE,
    issued_at TEXT NOT NULL,
    status TEXT NOT NULL,
    created_by TEXT NOT NULL,
    updated_by TEXT NOT NULL,
    head TEXT NOT NULL
);
CREATE INDEX token_user ON token (user_id);

CREATE TABLE tenant_member (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    tenant_id TEXT NOT NULL REFERENCES tenant (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES user (id),
    role TEXT NOT NULL,
    status TEXT NOT NULL,
    invite TEXT UNIQUE,
    version INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    created_by TEXT NOT NULL,
    updated_by TEXT NOT NULL,
    head TEXT NOT NULL,
    UNIQUE (tenant_id, user_id)
);
CREATE INDEX tenant_member_user ON tenant_member (user_id);

CREATE TABLE org (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    handle TEXT NOT NULL UNIQUE,
    tenant_id TEXT NOT NULL REFERENCES tenant (id),
    workspace_limit INTEGER NOT NULL,
    token_min TEXT NOT NULL DEFAULT '',
    created_by TEXT NOT NULL,
    updated_by TEXT NOT NULL,
    head TEXT NOT NULL
);
CREATE INDEX org_tenant ON org (tenant_id);

CREATE TABLE avatar (
    org_id TEXT PRIMARY KEY REFERENCES org (id) ON DELETE CASCADE,
    media_type TEXT NOT NULL,
    image BLOB NOT NULL
);

CREATE TABLE member (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    org_id TEXT NOT NULL REFERENCES org (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES user (id),
    role TEXT NOT NULL,
    status TEXT NOT NULL,
    invite TEXT UNIQUE,
    created_by TEXT NOT NULL,
    updated_by TEXT NOT NULL,
    head TEXT NOT NULL,
    UNIQUE (org_id, user_id)
);
CREATE INDEX member_user ON member (user_id);

CREATE TABLE workspace (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    org_id TEXT NOT NULL REFERENCES org (id) ON DELETE CASCADE,
    handle TEXT NOT NULL,
    state TEXT NOT NULL,
    steps TEXT NOT NULL DEFAULT '',
    created_by TEXT NOT NULL,
    updated_by TEXT NOT NULL,
    head TEXT NOT NULL,
    UNIQUE (org_id, handle)
);

-- A grant belongs to a membership: it goes with it.
CREATE TABLE workspace_member (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    workspace_id TEXT NOT NULL REFERENCES workspace (id) ON DELETE CASCADE,
    org_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    role TEXT NOT NULL,
    created_by TEXT NOT NULL,
    updated_by TEXT NOT NULL,
    head TEXT NOT NULL,
    UNIQUE (workspace_id, user_id),
    FOREIGN KEY (org_id, user_id) REFERENCES member (org_id, user_id) ON DELETE CASCADE
);
CREATE INDEX workspace_member_member ON workspace_member (org_id, user_id);
CREATE INDEX workspace_member_user ON workspace_member (user_id);

-- No reference to the org: what was done to a deleted org stays known.
CREATE TABLE audit (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    org_id TEXT NOT NULL,
    workspace_id TEXT NOT NULL DEFAULT '',
    row TEXT NOT NULL
);
CREATE INDEX audit_org ON audit (org_id, seq);
CREATE INDEX audit_workspace ON audit (workspace_id, seq) WHERE workspace_id <> '';

CREATE VIEW tenant_row AS
SELECT t.seq AS k, t.id, t.handle,
    t.head || ',"created_by":' || c.head || '},"updated_by":' || u.head || '}}' AS j
FROM tenant t JOIN user c ON c.id = t.created_by JOIN user u ON u.id = t.updated_by;

CREATE VIEW token_row AS
SELECT t.seq AS k, t.id, t.user_id,
    t.head || ',"created_by":' || c.head || '},"updated_by":' || u.head || '}}' AS j
FROM token t JOIN user c ON c.id = t.created_by JOIN user u ON u.id = t.updated_by;

CREATE VIEW org_row AS
SELECT o.seq AS k, o.id, o.handle, o.tenant_id,
    o.head || ',"created_by":' || c.head || '},"updated_by":' || u.head || '}}' AS j
FROM org o JOIN user c ON c.id = o.created_by JOIN user u ON u.id = o.updated_by;

CREATE VIEW tenant_member_row AS
SELECT m.seq AS k, m.tenant_id, m.user_id,
    m.head || ',"status":"' || m.status || '","user":' || p.head || '},"created_by":' || c.head
        || '},"updated_by":' || u.head || '}}' AS j
FROM tenant_member m JOIN user p ON p.id = m.user_id
JOIN user c ON c.id = m.created_by JOIN user u ON u.id = m.updated_by;

-- 1099511627776 (2**40) puts inherited rows behind the list's own.
CREATE VIEW member_row AS
SELECT m.seq AS k, m.org_id, m.user_id, 'org' AS scope, p.handle, p.display_name,
    m.head || ',"scope":"org","status":"' || m.status || '","user_handle":"' || p.handle || '","user":' || p.head
        || '},"created_by":' || c.head || '},"updated_by":' || u.head || '}}' AS j
FROM member m JOIN user p ON p.id = m.user_id
JOIN user c ON c.id = m.created_by JOIN user u ON u.id = m.updated_by
UNION ALL
SELECT m.seq + 1099511627776, o.id, m.user_id, 'tenant', p.handle, p.display_name,
    '{"id":"' || m.id || '","org_id":"' || o.id || '","user_id":"' || m.user_id || '","role":"owner","created_at":"'
        || m.created_at || '","created_by_id":"' || m.created_by || '","updated_at":"' || m.updated_at
        || '","updated_by_id":"' || m.updated_by || '","version_id":' || m.version
        || ',"scope":"tenant","status":"accepted","user_handle":"' || p.handle || '","user":' || p.head
        || '},"created_by":' || c.head || '},"updated_by":' || u.head || '}}'
FROM org o JOIN tenant_member m ON m.tenant_id = o.tenant_id AND m.role = 'owner' AND m.status = 'accepted'
JOIN user p ON p.id = m.user_id
JOIN user c ON c.id = m.created_by JOIN user u ON u.id = m.updated_by;

CREATE VIEW user_org_row AS
SELECT m.seq AS k, m.user_id, m.status,
    CASE instr(m.head, '"last_activity_at"') WHEN 0 THEN m.head  -- the contract's UserOrg has no such field
        ELSE substr(json_remove(m.head || '}', '$.last_activity_at'), 1,
                    length(json_remove(m.head || '}', '$.last_activity_at')) - 1) END
        || ',"status":"' || CASE m.status WHEN 'accepted' THEN 'accepted' ELSE 'pending' END
        || '","org":' || o.j || ',"created_by":' || c.head || '},"updated_by":' || u.head || '}}' AS j
FROM member m JOIN org_row o ON o.id = m.org_id
JOIN user c ON c.id = m.created_by JOIN user u ON u.id = m.updated_by;

CREATE VIEW workspace_row AS
SELECT w.seq AS k, w.id, w.org_id, w.handle, o.handle || '-' || w.handle || '.usea1.db.pipes.turbot.com' AS host,
    w.head || ',"state":"' || w.state || '","host":"' || o.handle || '-' || w.handle
        || '.usea1.db.pipes.turbot.com","created_by":' || c.head || '},"updated_by":' || u.head || '}}' AS j
FROM workspace w JOIN org o ON o.id = w.org_id
JOIN user c ON c.id = w.created_by JOIN user u ON u.id = w.updated_by;

CREATE VIEW workspace_member_row AS
SELECT g.seq AS k, g.workspace_id, g.user_id, 'workspace' AS scope, p.handle, p.display_name,
    g.head || ',"scope":"workspace","status":"' || CASE m.status WHEN 'accepted' THEN 'accepted' ELSE 'pending' END
        || '","workspace_handle":"' || w.handle || '","user_handle":"' || p.handle || '","user":' || p.head
        || '},"created_by":' || c.head || '},"updated_by":' || u.head || '}}' AS j
FROM workspace_member g JOIN workspace w ON w.id = g.workspace_id
JOIN member m ON m.org_id = g.org_id AND m.user_id = g.user_id JOIN user p ON p.id = g.user_id
JOIN user c ON c.id = g.created_by JOIN user u ON u.id = g.updated_by
UNION ALL
SELECT m.seq + 1099511627776, w.id, m.user_id, 'org', p.handle, p.display_name,
    m.head || ',"scope":"org","status":"accepted","workspace_id":"' || w.id || '","workspace_handle":"' || w.handle
        || '","user_handle":"' || p.handle || '","user":' || p.head
        || '},"created_by":' || c.head || '},"updated_by":' || u.head || '}}'
FROM workspace w JOIN member m ON m.org_id = w.org_id AND m.role = 'owner' AND m.status = 'accepted'
JOIN user p ON p.id = m.user_id
JOIN user c ON c.id = m.created_by JOIN user u ON u.id = m.updated_by;
