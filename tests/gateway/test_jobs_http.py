"""/v1/jobs: the list, one job, waiting for it, its events, its cancelling."""

import json
from typing import Any
from uuid import uuid4

import pytest

from tests.gateway.conftest import MakePayer, Payer
from tests.gateway.media_stage import finished

SLOW = "[[sandbox running_ms=60000]] a lamp"


def begin(payer: Payer, prompt: str = "a lamp", **body: Any) -> str:
    """Begin a job for an image. Returns: its id."""
    answer = payer.post("/v1/images", json={"prompt": prompt, "wait": False, **body})
    assert answer.status_code == 202, answer.text
    job_id: str = answer.json()["id"]
    return job_id


def events_of(payer: Payer, job_id: str, **headers: str) -> list[tuple[str, dict[str, Any]]]:
    """Read a job's events to the end."""
    answer = payer.get(f"/v1/jobs/{job_id}/events", headers=headers)
    assert answer.headers["content-type"] == "text/event-stream"
    found = []
    for block in answer.text.strip().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if line[:1] != ":")
        if lines:
            found.append((lines["event"], json.loads(lines["data"]) | {"id": lines.get("id")}))
    return found


def test_a_job_tells_all_about_itself(media_payer: Payer) -> None:
    job_id = begin(media_payer, num_outputs=2, seed=7)
    job = finished(media_payer, job_id)
    assert (job["id"], job["object"], job["operation"]) == (job_id, "job", "image")
    assert (job["status"], job["progress"], job["error"]) == ("succeeded", 1.0, None)
    assert job["items"] == {"wanted": 2, "made": 2}
    assert job["credits"] == {"held": 8.0, "charged": 8.0}
    assert job["parameters"] == {"width": 1024, "height": 1024, "num_outputs": 2}
    assert [(file["width"], file["height"]) for file in job["files"]] == [(1024, 1024)] * 2
    assert job["created_at"] <= job["started_at"] <= job["finished_at"] < job["deadline_at"]
    assert "a lamp" not in json.dumps(job)


def test_what_has_not_changed_is_not_sent_again(media_payer: Payer) -> None:
    job_id = begin(media_payer)
    finished(media_payer, job_id)
    first = media_payer.get(f"/v1/jobs/{job_id}")
    tag = first.headers["etag"]
    again = media_payer.get(f"/v1/jobs/{job_id}", headers={"if-none-match": tag})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == tag


def test_a_long_poll_returns_when_something_changed(media_payer: Payer) -> None:
    job_id = begin(media_payer, "[[sandbox running_ms=1500]] a lamp")
    begun = media_payer.get(f"/v1/jobs/{job_id}")
    assert begun.headers["retry-after"] == "2"
    changed = media_payer.get(
        f"/v1/jobs/{job_id}?wait=25", headers={"if-none-match": begun.headers["etag"]}
    )
    assert changed.status_code == 200
    assert changed.headers["etag"] != begun.headers["etag"]
    assert finished(media_payer, job_id)["status"] == "succeeded"


def test_events_come_in_order_and_go_on_where_they_were_left(media_payer: Payer) -> None:
    job_id = begin(media_payer)
    found = events_of(media_payer, job_id)
    names = [name for name, _ in found]
    assert names[0] == "created"
    assert names[-2:] == ["succeeded", "job"]
    assert found[-1][1]["status"] == "succeeded"
    ids = [int(data["id"]) for name, data in found if name != "job"]
    assert ids == sorted(set(ids))
    rest = events_of(media_payer, job_id, **{"last-event-id": str(ids[-2])})
    assert [name for name, _ in rest] == ["succeeded", "job"]


def test_a_job_is_cancelled_once(media_payer: Payer) -> None:
    job_id = begin(media_payer, SLOW)
    assert media_payer.post(f"/v1/jobs/{job_id}/cancel").status_code in (200, 202)
    job = finished(media_payer, job_id)
    assert (job["status"], job["cancel_requested"]) == ("canceled", True)
    again = media_payer.post(f"/v1/jobs/{job_id}/cancel")
    assert (again.status_code, again.json()["status"]) == (200, "canceled")
    assert media_payer.balance()[1] == 0


def test_the_list_is_filtered_and_cut_without_repetition(media_payer: Payer) -> None:
    ids = [begin(media_payer) for _ in range(5)]
    for job_id in ids:
        finished(media_payer, job_id)
    seen: list[str] = []
    cursor = ""
    while True:
        page = media_payer.get(f"/v1/jobs?limit=2{cursor}").json()
        seen += [job["id"] for job in page["data"]]
        if not page["has_more"]:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == ids[::-1]
    succeeded = media_payer.get("/v1/jobs?status=succeeded,failed&operation=image").json()
    assert len(succeeded["data"]) == 5
    assert media_payer.get("/v1/jobs?status=queued").json()["data"] == []
    assert media_payer.get("/v1/jobs?kind=music.default").json()["data"] == []
    assert media_payer.get("/v1/jobs?from=2099-01-01T00:00:00Z").json()["data"] == []


@pytest.mark.parametrize(
    "query",
    ["status=done", "limit=0", "limit=100", "cursor=x", "from=now", "page=2", "limit=1&limit=2"],
)
def test_a_bad_question_is_refused(media_payer: Payer, query: str) -> None:
    answer = media_payer.get(f"/v1/jobs?{query}")
    assert answer.status_code == 400
    assert query.split("=", maxsplit=1)[0] in answer.json()["error"]


def test_another_workspace_s_job_does_not_exist(
    media_payer: Payer, make_media_payer: MakePayer
) -> None:
    job_id = begin(media_payer)
    stranger = make_media_payer()
    for asked in (job_id, str(uuid4()), "nothing"):
        assert stranger.get(f"/v1/jobs/{asked}").status_code == 404
        assert stranger.get(f"/v1/jobs/{asked}/events").status_code == 404
        assert stranger.post(f"/v1/jobs/{asked}/cancel").status_code == 404
    assert stranger.get("/v1/jobs").json()["data"] == []
    assert finished(media_payer, job_id)["cancel_requested"] is False


def test_a_key_without_the_scope_reads_no_jobs(make_media_payer: MakePayer) -> None:
    chatter = make_media_payer(scopes=["chat"])
    assert chatter.get("/v1/jobs").status_code == 403
    assert chatter.post("/v1/images", json={"prompt": "x"}).status_code == 403
    assert chatter.balance() == (1_000_000_000, 0)


@pytest.mark.parametrize(
    ("body", "ceiling", "likely"),
    [
        ({"prompt": "x", "width": 512}, 4.0, 4.0),
        ({"prompt": "x", "kind": "image.flux-pro", "num_outputs": 3}, 144.0, 144.0),
        ({"prompt": "x", "duration": 60}, 900.0, 900.0),
        ({"prompt": "x", "kind": "music.default"}, 450.0, 450.0),
        ({"prompt": "x", "model": "dall-e-3", "quality": "hd", "n": 2}, 192.0, 192.0),
        ({"prompt": "x", "model": "gpt-image-2"}, 254.0, 8.0),
    ],
)
def test_an_estimate_says_what_the_job_would_hold(
    media_payer: Payer, body: dict[str, Any], ceiling: float, likely: float
) -> None:
    answer = media_payer.post("/v1/estimate", json=body)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["ceiling"], answer.json()["likely"]) == (ceiling, likely)
    assert answer.json()["affordable"] is True
    assert media_payer.balance() == (1_000_000_000, 0)
