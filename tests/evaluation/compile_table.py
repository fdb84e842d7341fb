"""Compiles LaTeX tables into a PDF with pdflatex, where it is installed (Debian: texlive-latex-recommended).

densezero table --published --format latex | python tests/evaluation/compile_table.py table.pdf
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PAGE = r"""\documentclass{{article}}
\usepackage[T1]{{fontenc}}
\usepackage[utf8]{{inputenc}}
\usepackage[paperwidth={width_mm}mm,paperheight=250mm,margin=8mm]{{geometry}}
\usepackage{{booktabs}}
\pagestyle{{empty}}
\begin{{document}}
\noindent
{tables}
\end{{document}}
"""


def is_installed():
    return shutil.which("pdflatex") is not None


def compile_tables(tables, out, width_mm=240):
    """Compile tables below each other; give the log. A failure raises with the log's errors."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "table.tex"
        file.write_text(PAGE.format(tables="\n\\bigskip\\noindent\n".join(tables), width_mm=width_mm), encoding="utf-8")
        words = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", file.name]
        done = subprocess.run(words, cwd=folder, capture_output=True, timeout=120, check=False)
        log = done.stdout.decode("utf-8", "replace")
        if done.returncode:
            raise RuntimeError("\n".join(line for line in log.splitlines() if line.startswith(("!", "l."))) or log)
        shutil.move(file.with_suffix(".pdf"), out)
    return log


if __name__ == "__main__":
    if not is_installed():
        sys.exit("pdflatex is not installed; on Debian: apt install texlive-latex-recommended")
    compile_tables([sys.stdin.read()], sys.argv[1])
