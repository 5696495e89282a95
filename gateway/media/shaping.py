"""Do what is to be done to a file before it is kept."""

from gateway.media.children import children
from gateway.media.errors import UnusableFile
from gateway.media.fetching import MOST_BYTES
from gateway.media.mp3 import cut, read_mp3, without_tags
from gateway.media.works import ImageWork, MediaWork, Shaped


def shape(data: bytes, work: MediaWork) -> Shaped:
    """Make a file ours. Raises: UnusableFile, ImagesBusy."""
    if len(data) > MOST_BYTES:
        raise UnusableFile("The file is larger than what we take.")
    if isinstance(work, ImageWork):
        return children.shape(data, work)
    return _shape_music(data, work.length_ms)


def _shape_music(data: bytes, length_ms: int | None) -> Shaped:
    found = read_mp3(data)
    if length_ms is None:
        made, media_ms = without_tags(data, found), found.length_ms
    else:
        made, media_ms = cut(data, found, length_ms)
    return Shaped(data=made, media_type="audio/mpeg", media_ms=media_ms)
