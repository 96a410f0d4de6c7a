"""A handout as a PDF, by WeasyPrint: the page that has no private key on it."""

from __future__ import annotations

import io
from contextlib import redirect_stdout

from lab.classroom.handout import Handout
from lab.errors import HostError
from lab.report.handout_page import handout_page

# Of the letters; the largest with which all is on one page.
_SIZES_PT = (8.6, 7.8, 7.1)


def require_pdf() -> None:
    """See that PDFs can be made on this computer.

    Raises:
        HostError: WeasyPrint or a library that it needs is not there.
    """
    try:
        # Where a library is missing, it says so on stdout, which is for data.
        with redirect_stdout(io.StringIO()):
            import weasyprint  # noqa: F401 (the import is the question)
    except (ImportError, OSError) as error:
        raise HostError(
            "PDFs cannot be made on this computer: WeasyPrint or a library of its is missing",
            details=str(error).strip().partition("\n")[0],
            hint="sudo apt-get install --no-install-recommends libpango-1.0-0 libpangoft2-1.0-0 "
            "libharfbuzz-subset0 fonts-dejavu-core   (or without PDFs: lab handout --format html)",
        ) from error


def handout_pdf(handout: Handout) -> bytes:
    """Return a student's page as a PDF; the same bytes for the same handout.

    It is one sheet of A4: where names are long or the guide says much, the letters are smaller, as
    far as they can be read.

    Raises:
        HostError: see `require_pdf`.
    """
    require_pdf()
    import weasyprint
    from weasyprint.urls import URLFetcher

    # Nothing is to be fetched, and nothing can be: neither from the network nor from a file.
    fetcher = URLFetcher(allowed_protocols=())
    page = weasyprint.HTML(string=handout_page(handout), url_fetcher=fetcher)
    for size_pt in _SIZES_PT:
        size = weasyprint.CSS(
            string=f"html {{ font-size: {size_pt}pt !important }}", url_fetcher=fetcher
        )
        document = page.render(stylesheets=[size])
        if len(document.pages) == 1:
            break
    return bytes(document.write_pdf())
