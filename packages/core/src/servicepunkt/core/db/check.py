"""What must be true of every table in the database, read from PostgreSQL's own catalogue."""

from __future__ import annotations

import psycopg

from servicepunkt.core.db.ddl import APPLICATION_ROLE
from servicepunkt.core.db.migrate import conninfo

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
        SELECT table_name || '.' || column_name FROM information_schema.columns
        WHERE table_schema = 'public' AND (is_identity = 'YES' OR column_default LIKE 'nextval%%')
          AND table_name NOT LIKE %(jobs)s""",
    "timestamp without zone": """
        SELECT table_name || '.' || column_name FROM information_schema.columns
        WHERE table_schema = 'public' AND data_type = 'timestamp without time zone' AND table_name NOT LIKE %(jobs)s""",
    "role of the application that may bypass row-level security": """
        SELECT rolname FROM pg_roles WHERE rolname = %(role)s AND (rolsuper OR rolbypassrls)""",
    "table owned by the application's role": """
        SELECT relname FROM pg_class WHERE relowner = (SELECT oid FROM pg_roles WHERE rolname = %(role)s)""",
    "audit entries that can be changed": """
        SELECT table_name || ' ' || privilege_type FROM information_schema.role_table_grants
        WHERE grantee = %(role)s AND table_name = 'audit_entry' AND privilege_type NOT IN ('SELECT', 'INSERT')""",
}


def violations(url: str) -> list[tuple[str, str]]:
    """Every (rule, name of what breaks it); an empty list is a sound database."""
    found = []
    with psycopg.connect(conninfo(url)) as connection:
        for rule, query in QUERIES.items():
            rows = connection.execute(query, {"role": APPLICATION_ROLE, "jobs": PROCRASTINATE}).fetchall()
            found += [(rule, str(row[0])) for row in rows]
    return found
