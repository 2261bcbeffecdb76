-- Connections, their folders, where they may be used, where they are attached, and what ran for them. A file of its own,
-- since sandboxes made before it are brought up to it when they are opened.

ALTER TABLE org ADD COLUMN connection_limit INTEGER;

-- A folder is a connection too (contract: orgConnectionFolder_* answer Connection). `workspace_id` is there for those of
-- a workspace. `name` is a connection's handle or a folder's title; `parent` the folder that it is in; `trunk` the
-- folders above it, as JSON objects. `secrets` holds digests: no secret is ever in this file.
CREATE TABLE connection (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    org_id TEXT NOT NULL REFERENCES org (id) ON DELETE CASCADE,
    workspace_id TEXT REFERENCES workspace (id) ON DELETE CASCADE,
    folder INTEGER NOT NULL,
    name TEXT NOT NULL,
    parent TEXT,
    trunk TEXT NOT NULL DEFAULT '',
    secrets TEXT NOT NULL DEFAULT '{}',
    tested TEXT NOT NULL DEFAULT '',
    created_by TEXT NOT NULL,
    updated_by TEXT NOT NULL,
    head TEXT NOT NULL
);
CREATE UNIQUE INDEX connection_name ON connection (org_id, ifnull(workspace_id, ''), name) WHERE folder = 0;
CREATE INDEX connection_parent ON connection (org_id, parent);
CREATE INDEX connection_workspace ON connection (workspace_id) WHERE workspace_id IS NOT NULL;

CREATE TABLE connection_permission (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    org_id TEXT NOT NULL REFERENCES org (id) ON DELETE CASCADE,
    connection_id TEXT NOT NULL REFERENCES connection (id) ON DELETE CASCADE,
    workspace_id TEXT REFERENCES workspace (id) ON DELETE CASCADE,
    created_by TEXT NOT NULL,
    updated_by TEXT NOT NULL,
    head TEXT NOT NULL
);
CREATE UNIQUE INDEX connection_permission_target ON connection_permission (connection_id, ifnull(workspace_id, ''));
CREATE INDEX connection_permission_workspace ON connection_permission (workspace_id);

CREATE TABLE workspace_schema (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    workspace_id TEXT NOT NULL REFERENCES workspace (id) ON DELETE CASCADE,
    connection_id TEXT NOT NULL REFERENCES connection (id) ON DELETE CASCADE,
    created_by TEXT NOT NULL,
    updated_by TEXT NOT NULL,
    head TEXT NOT NULL,
    UNIQUE (workspace_id, connection_id)
);
CREATE INDEX workspace_schema_connection ON workspace_schema (connection_id);

CREATE TABLE process (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    org_id TEXT NOT NULL REFERENCES org (id) ON DELETE CASCADE,
    row TEXT NOT NULL
);
CREATE INDEX process_org ON process (org_id);

-- The trunk of what belongs to a workspace begins with that workspace.
CREATE VIEW connection_row AS
SELECT n.seq AS k, n.id, n.org_id, n.workspace_id, n.folder, n.name, n.parent,
    n.head || ',"trunk":[{"id":"' || o.id || '","title":"' || o.handle || '","type":"org"}'
        || CASE WHEN w.id IS NULL THEN '' ELSE
            ',{"id":"' || w.id || '","title":"' || w.handle || '","type":"workspace"}' END
        || n.trunk || '],"created_by":' || c.head || '},"updated_by":' || u.head || '}}' AS j
FROM connection n JOIN org o ON o.id = n.org_id LEFT JOIN workspace w ON w.id = n.workspace_id
JOIN user c ON c.id = n.created_by JOIN user u ON u.id = n.updated_by;

CREATE VIEW connection_permission_row AS
SELECT p.seq AS k, p.id, p.connection_id,
    p.head || ',"identity":' || i.row
        || CASE WHEN w.id IS NULL THEN '' ELSE ',"workspace":' || w.j END
        || ',"created_by":' || c.head || '},"updated_by":' || u.head || '}}' AS j
FROM connection_permission p JOIN identity i ON i.id = p.org_id LEFT JOIN workspace_row w ON w.id = p.workspace_id
JOIN user c ON c.id = p.created_by JOIN user u ON u.id = p.updated_by;

-- What is attached itself; what a folder brings along is computed.
CREATE VIEW association_row AS
SELECT s.seq AS k, s.workspace_id, s.connection_id, n.folder,
    s.head || ',"connection":' || n.j || ',"created_by":' || c.head || '},"updated_by":' || u.head || '}}' AS j
FROM workspace_schema s JOIN connection_row n ON n.id = s.connection_id
JOIN user c ON c.id = s.created_by JOIN user u ON u.id = s.updated_by;
