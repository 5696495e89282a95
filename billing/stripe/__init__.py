"""Payments by Stripe: credit comes in by its payments and goes out by its refunds and disputes.

client.py          the library, made from our settings, and its errors as ours
packs.py           what may be bought (packs.toml beside prices.toml)
orders.py          what we asked for: orders and customers     checkout.py  Stripe's own pages
events.py          an event of Stripe's as the facts we need, pure; signatures
intake.py          one event, once: what every webhook and back-fill goes through
payments.py        a payment becomes credit, if it is what was ordered
reversals.py       refunds and disputes                        quarantine.py  what staff decides
recharge.py        a saved card, below a threshold             reconciliation.py  the back-fill

An event may come never, often, late and in any order. So each is turned into facts of its payment,
under the payment's lock, and what the facts come to is the same in whatever order they came.
The ledger is moved by its own functions and by disputes.py, under ids derived from Stripe's.
"""
