-- Calls that cost no credits: the call row alone decides who ends them.
SELECT i.n, i.kind AS verdict, true AS fresh, 0::bigint AS charged, 0::bigint AS available
FROM unnest(%s::text[]) WITH ORDINALITY i(kind, n)
