"""The upstreams, one pure file each: what we ask becomes their bytes, their bytes become answers.

base.py               what a provider file defines, and what it takes and gives
failures.py           what can go wrong upstream, as our callers see it
openai_form.py        answers and errors in OpenAI's form, which others speak too
chunk_stream.py       streams in OpenAI's chunk grammar, likewise
rewritten.py          both, of providers that add to OpenAI's form what callers must not see
completion.py         writing OpenAI's form, for those that have another
translating.py        what those do with a request first
event_stream.py       reading server-sent events
translated_stream.py  a stream of another grammar becoming OpenAI's
embeddings_form.py    embeddings in OpenAI's form; gemini_ and openrouter_embeddings.py are mixed in
media.py              what a provider of long work defines: images, music
images_form.py        what providers of images share; openai_, openrouter_ and gemini_images.py are
                      mixed in
image_sizes.py        sizes for models that take any
huggingface_forms.py  who serves models behind Hugging Face's router, and in which form
flux.py               the inputs of each Flux model
speech.py             what a provider of speech defines; openai_, elevenlabs_speech.py are mixed in
speech_streams.py     their answers becoming sound
transcriptions.py     what one that writes speech down defines; elevenlabs_transcripts.py is one
openrouter_costs.py   what OpenRouter says a call cost

A file that defines `PROVIDER` is found by itself. No I/O, no Django, no prices, no catalogue.
"""

import functools
import importlib
import pkgutil
from collections.abc import Mapping
from types import MappingProxyType

from gateway.providers.base import Provider


@functools.cache
def providers() -> Mapping[str, Provider]:
    """Give every provider that lies in this folder, by slug."""
    found: dict[str, Provider] = {}
    for module_info in pkgutil.iter_modules(__path__, f"{__name__}."):
        module = importlib.import_module(module_info.name)
        provider: Provider | None = getattr(module, "PROVIDER", None)
        if provider is not None:
            assert provider.slug not in found, f"two providers are called {provider.slug}"
            found[provider.slug] = provider
    return MappingProxyType(found)


def find_provider(slug: str) -> Provider | None:
    """Give the provider of this slug, or None."""
    return providers().get(slug)
