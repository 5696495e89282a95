"""Files we host: what providers made, fetched, checked, made ours and kept under its digest.

fetching.py   a provider's file over the network, from its own hosts only
works.py      what is done to a file before it is kept; shaping.py does it
images.py     pixels, in child processes (children.py, image_wire.py, image_child.py)
fit.py        one picture cut to many sizes, there too; with fit_subject.py, fit_windows.py and
              fit_files.py
mp3.py        frames of sound: check, measure, cut
storages.py   where bytes lie: a folder; s3.py: a bucket
stored.py     who may need a file's bytes, and when nobody does
services.py   keep, drop, release
inputs.py     pictures that callers send in, from their request to its end
queries.py    what callers may see
addresses.py  our signed URLs; parts.py: a Range header
errors.py     what can go wrong

Jobs call it from workers; surfaces show its files. It knows no provider and no money.
"""
