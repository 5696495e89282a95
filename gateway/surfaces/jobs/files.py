"""What a job made: our addresses of it, signed as they are read, or its bytes."""

from base64 import b64encode

from gateway.jobs.views import JobFile, JobView
from gateway.media.addresses import asset_url, base_url
from gateway.media.queries import access_asset, read_bytes
from gateway.surfaces.asking import in_thread
from gateway.surfaces.door import Request
from studio.accounts.callers import Caller


def file_urls(request: Request, caller: Caller, job: JobView) -> list[str]:
    """Give an address for each file, good for as long as the workspace's tier says."""
    return [file_url(request, caller, file) for file in job.files]


def file_url(request: Request, caller: Caller, file: JobFile, *, life_s: int | None = None) -> str:
    """Give an address for one file; a shorter life than the tier's may be asked for."""
    longest_s = caller.asset_url_life_s
    return asset_url(
        file.asset_id,
        base_url=base_url(request.raw_headers),
        life_s=longest_s if life_s is None else min(life_s, longest_s),
    )


async def file_base64(caller: Caller, file: JobFile) -> str:
    """Give one file's bytes in base64. Raises: NotFound (let go since), Unavailable."""
    return await in_thread(_read_base64, caller, file)


def _read_base64(caller: Caller, file: JobFile) -> str:
    asset = access_asset(file.asset_id, workspace_id=caller.workspace_id, user_ref=caller.user_ref)
    return b64encode(read_bytes(asset)).decode()
