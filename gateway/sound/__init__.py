"""Sound as samples: encoded, decoded, measured, joined, sped up; and texts cut for speaking.

formats.py    the names, media types, rates       encoding.py   samples to any of the formats
decoding.py   and back                            containers.py what stands around the frames
measuring.py  how long is what passes by          tempo.py      faster or slower, same pitch
joining.py    parts of one speech, without seams  sentences.py  where a text may be cut

Samples are everywhere signed 16 bit, little-endian, one channel, as bytes. No Django, no I/O; each
object belongs to one thread at a time, and FFmpeg lets other threads run while it encodes.
"""
