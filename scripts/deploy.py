"""Write what lies under deploy/ and is made from typed values: run it after changing them."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from leadline.ops.nginx import Balancer, nginx_conf

ROOT = Path(__file__).resolve().parents[1]

EXAMPLE = Balancer(
    services=("10.0.0.11:8000", "10.0.0.12:8000"),
    certificate=PurePosixPath("/etc/leadline/tls/fullchain.pem"),
    key=PurePosixPath("/etc/leadline/tls/private.pem"),
    folder=PurePosixPath("/var/lib/leadline/nginx"),
    server_name="research.example.org",
)


def files() -> dict[str, str]:
    """Return the generated files, by path under the project."""
    return {"deploy/nginx/nginx.conf": nginx_conf(EXAMPLE)}


def main() -> None:
    for name, text in files().items():
        path = ROOT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(name)


if __name__ == "__main__":
    main()
