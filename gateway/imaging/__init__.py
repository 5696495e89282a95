"""What Image Studio knows about pictures, as data and pure functions; personas.py alone has rows.

templates.py   sizes and styles to start from (templates.json); searching.py finds them
models.py      the models by the names of its API, what they can do (models.json)
choosing.py    which model makes a picture, where the caller leaves it to us
shapes.py      width and height from what was asked for
enhancing.py   the question to a chat model that betters a prompt (enhancing.txt)
brands.py      a brand's words in a prompt; personas.py keeps brands for workspaces
operations.py  operations on pictures as data: edits.py, upscales.py, controls.py
platforms.py   the formats of social networks (platforms.json)
"""
