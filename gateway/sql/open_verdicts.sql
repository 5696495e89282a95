-- Calls that cost no credits (a user's own key): each may go. One that is sent again finds its row.
SELECT i.n, CASE WHEN c.id IS NULL THEN 'held' ELSE 'open' END AS verdict, 0::bigint AS available
FROM unnest(%s::uuid[]) WITH ORDINALITY i(id, n) LEFT JOIN gateway_call c ON c.id = i.id
