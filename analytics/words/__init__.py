"""Questions in words, read without a model: `grammar.parse` gives a typed query or a refusal.

`text` makes words of a question; `names`, `times` (of `periods`, on a `clock`) and the phrases of
`lexicon.toml` give each of them a meaning (`marking`); the rules of `slots` (`items`, `groups`,
`measures`, `spans`) fill a `draft` from these marks; a mark that no rule takes ends in a `refusal`.
`naming` reads the names of a workspace. `saying` and `picture` tell the answer. `form` is what a
model fills where the grammar refuses; who asks the model is the gateway.

Nothing in here asks the database but `naming`.
"""
