"""The API of Turbot Pipes: settings, one HTTP client, reading a Snapshot, the audit log."""
