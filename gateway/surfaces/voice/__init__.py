"""Speech from text: POST /v1/voice (`voice.py`) and OpenAI's POST /v1/audio/speech (`audio.py`).

Both ask for one text to be spoken (`asking.py`), and relay the sound as it comes (`relaying.py`).
"""
