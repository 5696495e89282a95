"""Image Studio, /api/image-studio: pictures made, changed, enlarged and cut, in and out as base64.

entry.py       who may come in, and the answers that all its endpoints share
create.py      from words to pictures; creation.py is its body and what that asks for,
               enhancement.py a better prompt, variations.py what came of each picture
edit.py        changes by what gateway/imaging defines; control.py and upscale.py likewise
working.py     what these three share
social.py      one picture cut to the formats of social networks
templates.py   sizes and styles to start from; personas.py brands
providers.py   who makes what, and for how much (offers.py); estimates.py, health.py

What is data (templates, models, platforms, operations) lies in gateway/imaging. Errors are
`{"detail": "message"}`.
"""
