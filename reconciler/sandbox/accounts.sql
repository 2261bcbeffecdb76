-- Service accounts, tokens that end, folders of workspaces, and lists whose pages are read in order. A file of its own:
-- sandboxes made before it are brought up to date when they are opened.

-- The organization that a service account belongs to; empty for people and for a tenant's service accounts.
ALTER TABLE user ADD COLUMN org_id TEXT NOT NULL DEFAULT '';
CREATE INDEX user_org ON user (org_id) WHERE org_id <> '';

-- Empty for a token that does not end.
ALTER TABLE token ADD COLUMN expires_at TEXT NOT NULL DEFAULT '';

UPDATE user SET head = (
    SELECT substr(j, 1, length(j) - 1) FROM (
        SELECT json_set(head || '}', '$.type', CASE service WHEN 1 THEN 'service_account' ELSE 'user' END) AS j));
UPDATE tenant SET head = (SELECT substr(j, 1, length(j) - 1) FROM (SELECT json_set(head || '}', '$.state', 'created') AS j));
UPDATE connection SET head = (SELECT substr(j, 1, length(j) - 1) FROM (SELECT json_set(head || '}', '$.parent_id', '') AS j))
WHERE parent IS NULL;

-- A page of these lists is then one walk along an index, however long the list is.
CREATE INDEX member_org ON member (org_id);
CREATE INDEX workspace_member_workspace ON workspace_member (workspace_id);
CREATE INDEX connection_list ON connection (org_id, workspace_id, folder);
CREATE INDEX connection_inside ON connection (parent) WHERE parent IS NOT NULL;

-- The trunk is the folders above, outermost first; empty at the top of an organization or a workspace.
DROP VIEW association_row;
DROP VIEW connection_row;
CREATE VIEW connection_row AS
SELECT n.seq AS k, n.id, n.org_id, n.workspace_id, n.folder, n.name, n.parent,
    n.head || ',"trunk":[' || substr(n.trunk, 2) || '],"created_by":' || c.head || '},"updated_by":' || u.head || '}}' AS j
FROM connection n JOIN user c ON c.id = n.created_by JOIN user u ON u.id = n.updated_by;
CREATE VIEW association_row AS
SELECT s.seq AS k, s.workspace_id, s.connection_id, n.folder,
    s.head || ',"connection":' || n.j || ',"created_by":' || c.head || '},"updated_by":' || u.head || '}}' AS j
FROM workspace_schema s JOIN connection_row n ON n.id = s.connection_id
JOIN user c ON c.id = s.created_by JOIN user u ON u.id = s.updated_by;

-- A list's own rows, and the rows that it inherits: a page takes the first and then the second, so that neither is
-- sorted. 1099511627776 (2**40) puts the inherited ones behind.
DROP VIEW member_row;
CREATE VIEW member_own_row AS
SELECT m.seq AS k, m.org_id, m.user_id, 'org' AS scope, p.handle, p.display_name,
    m.head || ',"scope":"org","status":"' || m.status || '","user_handle":"' || p.handle || '","user":' || p.head
        || '},"created_by":' || c.head || '},"updated_by":' || u.head || '}}' AS j
FROM member m JOIN user p ON p.id = m.user_id
JOIN user c ON c.id = m.created_by JOIN user u ON u.id = m.updated_by;
CREATE VIEW member_inherited_row AS
SELECT m.seq + 1099511627776 AS k, o.id AS org_id, m.user_id, 'tenant' AS scope, p.handle, p.display_name,
    '{"id":"' || m.id || '","org_id":"' || o.id || '","user_id":"' || m.user_id || '","role":"owner","created_at":"'
        || m.created_at || '","created_by_id":"' || m.created_by || '","updated_at":"' || m.updated_at
        || '","updated_by_id":"' || m.updated_by || '","version_id":' || m.version
        || ifnull(',"last_activity_at":"' || ((m.head || '}') ->> 'last_activity_at') || '"', '')
        || ',"scope":"tenant","status":"accepted","user_handle":"' || p.handle || '","user":' || p.head
        || '},"created_by":' || c.head || '},"updated_by":' || u.head || '}}' AS j
FROM org o JOIN tenant_member m ON m.tenant_id = o.tenant_id AND m.role = 'owner' AND m.status = 'accepted'
JOIN user p ON p.id = m.user_id
JOIN user c ON c.id = m.created_by JOIN user u ON u.id = m.updated_by;
CREATE VIEW member_row AS SELECT * FROM member_own_row UNION ALL SELECT * FROM member_inherited_row;

DROP VIEW workspace_member_row;
CREATE VIEW workspace_member_own_row AS
SELECT g.seq AS k, g.workspace_id, g.user_id, 'workspace' AS scope, p.handle, p.display_name,
    g.head || ',"scope":"workspace","status":"' || CASE m.status WHEN 'accepted' THEN 'accepted' ELSE 'pending' END
        || '","workspace_handle":"' || w.handle || '","user_handle":"' || p.handle || '","user":' || p.head
        || '},"created_by":' || c.head || '},"updated_by":' || u.head || '}}' AS j
FROM workspace_member g JOIN workspace w ON w.id = g.workspace_id
JOIN member m ON m.org_id = g.org_id AND m.user_id = g.user_id JOIN user p ON p.id = g.user_id
JOIN user c ON c.id = g.created_by JOIN user u ON u.id = g.updated_by;
CREATE VIEW workspace_member_inherited_row AS
SELECT m.seq + 1099511627776 AS k, w.id AS workspace_id, m.user_id, 'org' AS scope, p.handle, p.display_name,
    m.head || ',"scope":"org","status":"accepted","workspace_id":"' || w.id || '","workspace_handle":"' || w.handle
        || '","user_handle":"' || p.handle || '","user":' || p.head
        || '},"created_by":' || c.head || '},"updated_by":' || u.head || '}}' AS j
FROM workspace w JOIN member m ON m.org_id = w.org_id AND m.role = 'owner' AND m.status = 'accepted'
JOIN user p ON p.id = m.user_id
JOIN user c ON c.id = m.created_by JOIN user u ON u.id = m.updated_by;
CREATE VIEW workspace_member_row AS
SELECT * FROM workspace_member_own_row UNION ALL SELECT * FROM workspace_member_inherited_row;
