"""What must be true of the database: tables, roles, server, a replica; read from PostgreSQL's own catalogue.

Each query names what breaks its rule; one that gives no row is kept.
"""

from __future__ import annotations

import time

import psycopg

from servicepunkt.core.db.conninfo import conninfo
from servicepunkt.core.db.schema import APPLICATION_ROLE

PROCRASTINATE = "procrastinate_%"

QUERIES = {
    "tenant table without forced row-level security": """
        SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'
        WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
          AND NOT (c.relrowsecurity AND c.relforcerowsecurity)""",
    "tenant table without exactly the policy tenant_isolation": """
        SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'
        LEFT JOIN pg_policy p ON p.polrelid = c.oid
        WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
        GROUP BY c.relname HAVING count(p.oid) <> 1 OR min(p.polname) <> 'tenant_isolation'
          OR NOT bool_and(pg_get_expr(p.polqual, p.polrelid) = '(tenant_id = app.current_tenant())'
                          AND pg_get_expr(p.polwithcheck, p.polrelid) = '(tenant_id = app.current_tenant())')""",
    "index of a tenant table that does not lead with tenant_id": """
        SELECT i.indexrelid::regclass::text FROM pg_index i
        JOIN pg_attribute t ON t.attrelid = i.indrelid AND t.attname = 'tenant_id'
        JOIN pg_class c ON c.oid = i.indrelid AND c.relnamespace = 'public'::regnamespace
        WHERE i.indkey[0] <> t.attnum""",
    "foreign key between tenant tables without tenant_id": """
        SELECT k.conname FROM pg_constraint k
        JOIN pg_attribute t ON t.attrelid = k.conrelid AND t.attname = 'tenant_id'
        JOIN pg_attribute f ON f.attrelid = k.confrelid AND f.attname = 'tenant_id'
        WHERE k.contype = 'f' AND NOT (k.conkey[1] = t.attnum AND k.confkey[1] = f.attnum)""",
    "view without security_invoker": """
        SELECT relname FROM pg_class WHERE relkind IN ('v', 'm') AND relnamespace = 'public'::regnamespace
          AND NOT coalesce(reloptions::text[] @> ARRAY['security_invoker=true'], false)""",
    "column of an enum type": """
        SELECT c.relname || '.' || a.attname FROM pg_attribute a
        JOIN pg_class c ON c.oid = a.attrelid AND c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
        JOIN pg_type t ON t.oid = a.atttypid AND t.typtype = 'e' WHERE c.relname NOT LIKE %(jobs)s""",
    "identity or serial column": """
        SELECT c.relname || '.' || a.attname FROM pg_attribute a
        JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
        LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE (a.attidentity <> '' OR pg_get_expr(d.adbin, d.adrelid) LIKE 'nextval%%')
          AND c.relname NOT LIKE %(jobs)s""",
    "timestamp without zone": """
        SELECT c.relname || '.' || a.attname FROM pg_attribute a
        JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
        WHERE a.atttypid = 'timestamp'::regtype AND c.relname NOT LIKE %(jobs)s""",
    "table owned by the application's role": """
        SELECT relname FROM pg_class WHERE relowner = (SELECT oid FROM pg_roles WHERE rolname = %(role)s)""",
    "entries that can be changed": """
        SELECT c.relname || ' ' || g.privilege_type FROM pg_class c, aclexplode(c.relacl) g
        WHERE g.grantee = (SELECT oid FROM pg_roles WHERE rolname = %(role)s)
          AND c.relname IN ('audit_entry', 'catalogue_revision') AND g.privilege_type NOT IN ('SELECT', 'INSERT')""",
    "table that the application may not read": """
        SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace
          AND NOT has_table_privilege(%(role)s, oid, 'SELECT')""",
    "table that the application may empty, past row-level security": """
        SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace
          AND has_table_privilege(%(role)s, oid, 'TRUNCATE')""",
    "table that every role may use": """
        SELECT DISTINCT c.relname FROM pg_class c, aclexplode(c.relacl) g
        WHERE g.grantee = 0 AND c.relkind IN ('r', 'p', 'v', 'm') AND c.relnamespace = 'public'::regnamespace""",
    "function that runs with its owner's rights": """
        SELECT proname FROM pg_proc WHERE prosecdef
          AND pronamespace IN ('public'::regnamespace, 'app'::regnamespace)""",
    "index that is not valid": """
        SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid""",
    "constraint that was not checked": """
        SELECT conname FROM pg_constraint WHERE NOT convalidated AND connamespace = 'public'::regnamespace""",
}

ROLE_QUERIES = {
    "role of the application that may bypass row-level security": """
        SELECT rolname FROM pg_roles WHERE rolname IN (current_user, %(role)s) AND (rolsuper OR rolbypassrls)""",
    "role of the application that may make roles or databases, or copy the server": """
        SELECT rolname FROM pg_roles
        WHERE rolname IN (current_user, %(role)s) AND (rolcreaterole OR rolcreatedb OR rolreplication)""",
    "role of the application that is a member of another": """
        SELECT r.rolname || ' in ' || g.rolname FROM pg_auth_members m
        JOIN pg_roles r ON r.oid = m.member JOIN pg_roles g ON g.oid = m.roleid
        WHERE r.rolname IN (current_user, %(role)s) AND g.rolname <> %(role)s""",
    "schema in which the application may make tables": """
        SELECT nspname FROM pg_namespace
        WHERE nspname IN ('public', 'app') AND has_schema_privilege(%(role)s, oid, 'CREATE')""",
    "database in which the application may make schemas": """
        SELECT current_database() WHERE has_database_privilege(%(role)s, current_database(), 'CREATE')""",
}

SERVER_QUERIES = {
    "server older than PostgreSQL 15": """
        SELECT current_setting('server_version') WHERE current_setting('server_version_num')::int < 150000""",
    "encoding other than UTF8": """
        SELECT pg_encoding_to_char(encoding) FROM pg_database
        WHERE datname = current_database() AND pg_encoding_to_char(encoding) <> 'UTF8'""",
    "collation of another version than the operating system's, indexes of texts may be wrong": """
        SELECT datcollate FROM pg_database WHERE datname = current_database()
          AND datcollversion <> pg_database_collation_actual_version(oid)""",
    "time zone other than UTC": """
        SELECT current_setting('TimeZone') WHERE current_setting('TimeZone') NOT IN ('UTC', 'Etc/UTC', 'GMT')""",
    "setting by which acknowledged entries may be lost": """
        SELECT name FROM pg_settings
        WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit') AND setting = 'off'""",
    "database that is a replica": "SELECT current_database() WHERE pg_is_in_recovery()",
}


def violations(url: str) -> list[tuple[str, str]]:
    """Every (rule, name of what breaks it) of tables and roles; an empty list is a sound database."""
    return _broken(url, {**QUERIES, **ROLE_QUERIES})


def server_faults(url: str) -> list[tuple[str, str]]:
    """The same of the server, as the application sees it."""
    return _broken(url, SERVER_QUERIES)


def _broken(url: str, rules: dict[str, str]) -> list[tuple[str, str]]:
    found = []
    with psycopg.connect(conninfo(url), prepare_threshold=None) as connection:
        for rule, query in rules.items():
            rows = connection.execute(query, {"role": APPLICATION_ROLE, "jobs": PROCRASTINATE}).fetchall()
            found += [(rule, str(row[0])) for row in rows]
    return found


def replica_faults(url: str, replica_url: str, *, wait: float = 10.0) -> list[tuple[str, str]]:
    """What is wrong with a replica. It has `wait` seconds to receive what the database has written until now."""
    with psycopg.connect(conninfo(url), prepare_threshold=None) as connection:
        identity, written = connection.execute(_IDENTITY + ", pg_current_wal_lsn()").fetchone() or ("", "")
    try:
        with psycopg.connect(conninfo(replica_url), autocommit=True, connect_timeout=5) as copy:
            same, copies = copy.execute(_IDENTITY + ", pg_is_in_recovery()").fetchone() or ("", False)
            if not copies or same != identity:
                return [("replica that is no replica", "it is not a copy of this database")]
            deadline = time.monotonic() + wait
            while copy.execute("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", (written,)).fetchone() != (True,):
                if time.monotonic() > deadline:
                    return [("replica that is behind", f"it has not reached {written} after {wait:g} seconds")]
                time.sleep(0.1)
    except psycopg.OperationalError as error:
        return [("replica that does not answer", str(error).strip().partition("\n")[0])]
    return []


_IDENTITY = "SELECT (SELECT system_identifier::text FROM pg_control_system())"
