"""The routes of the page, and Gradio's queue before the network.

Gradio queues the predictions, one at a time, and tells each browser its place and progress. The page itself is HTML,
style sheets and scripts of our own, which fetch nothing from anywhere else.
"""

import asyncio
from collections.abc import Collection
from importlib.resources import files
from typing import Any

import gradio as gr
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from pamm import __version__
from pamm.data.images import ImageError
from pamm.page.bodies import HeldResponse, Uploads
from pamm.page.examples import example_photos
from pamm.page.guard import MOUNT, Guard
from pamm.page.service import Service
from pamm.page.settings import PageSettings
from pamm.page.shelf import GoneError
from pamm.page.shown import jpeg
from pamm.page.turns import Turns

_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_UPLOADS = 4
"""How many of the largest uploads are in memory at a time."""
_ARCHIVES = 4
"""How many archives are in memory at a time, while they are made and sent."""
_ARCHIVE_SECONDS = 60
"""How long a visitor waits for one of these places."""


def build_app(settings: PageSettings, *, names: Collection[str] | None) -> Guard:
    """Load the weights, make the examples, and put the page together.

    Args:
        settings: what whoever starts the page chose.
        names: what requests may call this machine; None lets them call it anything.

    Returns:
        An ASGI application.

    Raises:
        ValueError: if some weights are not there, or there is no such device.
    """
    service, turns = Service(settings), Turns()
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    _add_page(app, service)
    _add_photos(app, service)
    _add_results(app, service)
    _add_errors(app)
    _add_queue(app, service, turns)
    return Guard(app, names=names, turns=turns)


def _add_page(app: FastAPI, service: Service) -> None:
    """The page's own files, what the page must know, and the examples."""
    folder = files("pamm.page") / "static"
    static = {item.name: item.read_bytes() for item in folder.iterdir() if item.name.rpartition(".")[2] in _TYPES}
    examples = [(photo.title, jpeg(photo.pixels)) for photo in example_photos()]
    settings = service.settings
    about = {
        "version": __version__,
        "weights": list(service.predictors),
        "tasks": {
            name: [{"name": task.name, "title": task.title} for task in predictor.tasks]
            for name, predictor in service.predictors.items()
        },
        "max_bytes": settings.max_bytes,
        "max_pixels": settings.max_pixels,
        "longest": settings.longest,
        "examples": [title for title, _ in examples],
    }

    def file(name: str) -> Response:
        if name not in static:
            raise HTTPException(404, "there is nothing here")
        return Response(static[name], media_type=_TYPES[name.rpartition(".")[2]])

    @app.get("/")
    async def page() -> Response:
        return file("page.html")

    @app.get("/static/{name}")
    async def part(name: str) -> Response:
        return file(name)

    @app.get("/about")
    async def facts() -> dict[str, Any]:
        return about

    @app.get("/examples/{number}")
    async def example(number: int) -> Response:
        if not 0 <= number < len(examples):
            raise HTTPException(404, "there is no such example")
        return Response(examples[number][1], media_type="image/jpeg")


def _add_photos(app: FastAPI, service: Service) -> None:
    """Taking photos: many are received at a time, and one at a time is decoded."""
    most = service.settings.max_bytes
    uploads, decoder = Uploads(most=most, room=_UPLOADS * most), asyncio.Lock()

    @app.post("/photos")
    async def take(request: Request) -> dict[str, Any]:
        uploads.check_length(request)
        body = bytearray()
        try:
            await uploads.receive(request, body)
            async with decoder:
                return await run_in_threadpool(service.take, bytes(body))
        finally:
            uploads.free(body)

    @app.get("/photos/{name}")
    async def photo(name: str) -> Response:
        return Response(service.photos.get(name)[1], media_type="image/jpeg")


def _add_results(app: FastAPI, service: Service) -> None:
    """Giving maps: pictures, values, and everything packed."""
    places = asyncio.Semaphore(_ARCHIVES)

    @app.get("/results/{name}/maps.zip")
    async def archive(name: str, request: Request) -> Response:
        try:
            async with asyncio.timeout(_ARCHIVE_SECONDS):
                await places.acquire()
        except TimeoutError as error:
            raise HTTPException(503, "too many maps are being packed at the moment: try again in a minute") from error
        try:
            packed = await run_in_threadpool(service.archive, name, request.query_params.getlist("task"))
        except BaseException:
            places.release()
            raise
        headers = {"Content-Disposition": 'attachment; filename="pamm-maps.zip"'}
        return HeldResponse(packed, places, media_type="application/zip", headers=headers)

    @app.get("/results/{name}/{task}.{kind}")
    async def part(name: str, task: str, kind: str) -> Response:
        shown = service.results.get(name).shown.get(task)
        if shown is not None and kind == "png":
            return Response(shown.picture, media_type="image/png")
        if shown is not None and kind == "values":
            return Response(shown.values, media_type="application/octet-stream", headers={"Content-Encoding": "gzip"})
        raise HTTPException(404, "there is no such map")


def _add_errors(app: FastAPI) -> None:
    """What is wrong is said in one line under the key that FastAPI and Gradio use as well."""

    def answer(status: int, words: str) -> JSONResponse:
        return JSONResponse({"detail": words}, status)

    @app.exception_handler(GoneError)
    async def gone(request: Request, error: GoneError) -> JSONResponse:
        return answer(410, str(error))

    @app.exception_handler(ImageError)
    async def unreadable(request: Request, error: ImageError) -> JSONResponse:
        return answer(422, str(error))

    @app.exception_handler(ValueError)
    async def wrong(request: Request, error: ValueError) -> JSONResponse:
        return answer(400, str(error))


def _add_queue(app: FastAPI, service: Service, turns: Turns) -> None:
    """Gradio's queue, with the one thing that it does here."""

    # Gradio knows the last arguments by type and default, and makes them for each call
    def predict(
        photo: str,
        weights: str,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> dict[str, Any]:
        try:
            return service.predict(photo, weights, lambda done, of, words: progress((done, of), desc=words))
        except ValueError as error:
            raise gr.Error(str(error), print_exception=False) from error
        finally:
            turns.give_back(request.client.host)

    with gr.Blocks(analytics_enabled=False) as blocks:
        names = [gr.Textbox(), gr.Textbox()]
        gr.Button().click(predict, names, gr.JSON(), api_name="predict", concurrency_limit=1)
    blocks.queue(max_size=service.settings.queue)
    gr.mount_gradio_app(app, blocks, path=MOUNT, show_error=False, footer_links=[], run_history=False, ssr_mode=False)
