"""`python -m cli.infra` writes infra/generated/."""

from cli.infra.generated import DIRECTORY, generated

if __name__ == "__main__":
    DIRECTORY.mkdir(exist_ok=True)
    for name, text in generated().items():
        (DIRECTORY / name).write_text(text, encoding="utf-8")
