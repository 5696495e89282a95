"""Jobs that work on pictures, and what is kept of these."""

from uuid import UUID

from gateway.media.inputs import take_input
from gateway.media.works import ImageWork
from gateway.models import Asset
from gateway.operations.image_edit import ImageEditRequest
from gateway.operations.image_fit import FitTarget, ImageFitRequest
from tests.gateway.hostile_images import image

_MEGABYTE = 1024 * 1024


def fit_request(*, targets: int = 2) -> ImageFitRequest:
    """Ask for one picture cut to some sizes."""
    return ImageFitRequest(
        image=take_input(image(size=(400, 300)), ImageWork()),
        targets=tuple(
            FitTarget(width=100 + n, height=100, most_bytes=_MEGABYTE) for n in range(targets)
        ),
    )


def inpaint(prompt: str = "A dog") -> ImageEditRequest:
    """Ask for a change of one picture under a mask."""
    return ImageEditRequest(
        edit="inpaint",
        prompt=prompt,
        image=take_input(image("JPEG", size=(256, 192)), ImageWork()),
        mask=take_input(image("PNG", size=(256, 192), mode="L", color=255), ImageWork()),
    )


def kept_inputs(job_id: UUID) -> list[Asset]:
    """Give the pictures that came with a job and are still kept, in the order of their ids."""
    kept = Asset.objects.filter(job_id=job_id, is_input=True, deleted_at=None)
    return list(kept.order_by("id"))
