"""Settings: every number and address of the product, checked at start."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal, TypedDict, Unpack

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from pipeline.errors import UsageError
from pipeline.records import Precision


def data_folder() -> Path:
    """Return the folder of what a user keeps (the default database): XDG's, for this user."""
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "imagemill"


def cache_folder() -> Path:
    """Return the folder of what can be made again: XDG's, for this user."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "imagemill"


def default_database_url() -> str:
    """Return the address of the embedded default: one SQLite file for this user."""
    return f"sqlite:///{data_folder() / 'imagemill.db'}"


Port = Annotated[int, Field(ge=1, le=65_535)]


class Settings(BaseSettings):
    """What can be set: by an option, else by ``IMAGEMILL_<OPTION>``, else by a ``.env`` file."""

    model_config = SettingsConfigDict(
        env_prefix="IMAGEMILL_", env_file=".env", extra="ignore", frozen=True
    )

    #: Where jobs, outcomes and predictions live.
    database_url: str = Field(default_factory=default_database_url)
    #: The Redis that carries the messages of submitted jobs.
    broker_url: str = "redis://localhost:6379/0"
    #: ``demo``, ``IMAGENET1K_V1``, ``IMAGENET1K_V2``, or a weights file.
    weights: str = "IMAGENET1K_V1"
    #: A text file with one label a line, for a fine-tuned model.
    labels: Path | None = None
    precision: Precision = Precision.AUTO
    #: Predictions kept for each image.
    top_k: int = Field(default=5, ge=1, le=1000)
    #: ``auto`` (CUDA when there is one), ``cpu``, ``cuda`` or ``cuda:N``.
    device: str = Field(default="auto", pattern=r"^(auto|all|cpu|cuda(:\d+)?)$")
    #: What computes: ``torch`` or ``openvino``; unset: what is fastest on the device.
    engine: Literal["torch", "openvino"] | None = None
    #: Whether what is unset of engine, max_batch, loaders and piece is measured, once a machine.
    tune: bool = True
    #: Images in one forward pass at most; unset: what suits the device.
    max_batch: int | None = Field(default=None, ge=1, le=4096)
    #: How long a batch that is not full waits for more, from its first image on.
    max_wait_ms: float = Field(default=20.0, ge=0, le=60_000)
    #: Loader processes; unset: what suits the machine.
    loaders: int | None = Field(default=None, ge=1, le=256)
    #: Images that one loader process takes at once; unset: what suits the machine.
    piece: int | None = Field(default=None, ge=1, le=1024)
    #: Images in one chunk; unset: 64 in `run`, 256 in `submit`.
    chunk_size: int | None = Field(default=None, ge=1, le=10_000)
    #: Width x height of a picture at most (twice Pillow's own warning limit).
    max_pixels: int = Field(default=178_956_970, ge=1)
    #: Size of a file at most, in bytes.
    max_bytes: int = Field(default=256 * 2**20, ge=1)
    #: How long one image may be in work in a loader process before it fails ``timeout``.
    image_timeout_s: float = Field(default=25.0, gt=0)
    #: How often a passing failure is tried again before it is final.
    retries: int = Field(default=3, ge=0, le=100)
    #: Folders (separated by ``:``) outside of which no local path is read; unset: no limit.
    roots: Annotated[tuple[Path, ...], NoDecode] = ()
    #: Names, addresses and networks inside (separated by ``,``) that may be connected to.
    allow_private_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    #: Ports of the web (separated by ``,``) that may be connected to beside 80 and 443.
    allow_ports: Annotated[tuple[Port, ...], NoDecode] = ()
    #: The proxy that every download goes through; unset: none, whatever the environment says.
    proxy: str | None = None
    #: Schemes of object stores (separated by ``,``) that are enabled.
    schemes: Annotated[tuple[str, ...], NoDecode] = ("s3", "gs", "az")
    #: Downloads at the same time in each loader process, and how many of them from one host.
    downloads: int = Field(default=256, ge=1, le=1024)
    host_downloads: int = Field(default=16, ge=1, le=1024)
    #: How long the download of one image may take, with all its redirects.
    url_timeout_s: float = Field(default=15.0, gt=0, le=600)
    #: Memory that one loader process may take, in MiB.
    loader_memory: int = Field(default=4096, ge=1024)
    #: Images after which the loader processes are replaced by new ones.
    loader_images: int = Field(default=100_000, ge=1000)
    #: Whether bytes that were seen before take their answer from the database.
    reuse: bool = False
    #: What webhooks are signed with.
    webhook_secret: SecretStr | None = None
    #: How long a claimed chunk belongs to its worker without a renewal.
    lease_s: float = Field(default=120.0, gt=0)
    #: Chunks that a worker has in hand at the same time; unset: what fills its device.
    concurrency: int | None = Field(default=None, ge=1, le=256)
    #: Messages of one job that wait in the broker at most.
    send_ahead: int = Field(default=8, ge=1, le=10_000)
    #: How often the workers look for what was lost.
    sweep_s: float = Field(default=30.0, gt=0)
    #: How long a sent message may wait before it counts as lost, if the queue is short.
    resend_s: float = Field(default=300.0, gt=0)
    #: How long a worker that was told to stop goes on with what it has in hand.
    drain_s: float = Field(default=60.0, ge=0)
    #: How long an engine may make no progress before its worker leaves for a new one.
    stall_s: float = Field(default=600.0, gt=0)
    #: Where a worker serves ``/metrics``, ``/healthz`` and ``/readyz``; unset: nowhere.
    metrics_port: int | None = Field(default=None, ge=0, le=65_535)
    #: The address that it listens on there.
    metrics_host: str = "127.0.0.1"
    #: Where `imagemill serve` listens; without any token nowhere but on loopback.
    host: str = "127.0.0.1"
    port: int = Field(default=8420, ge=0, le=65_535)
    #: Pictures that were sent over HTTP, one folder a job: where the workers find them, too.
    uploads: Path = Field(default_factory=lambda: data_folder() / "uploads")
    #: Bytes of one request over HTTP, and references of one submission, at most.
    upload_bytes: int = Field(default=64 * 2**20, ge=1024)
    upload_references: int = Field(default=100_000, ge=1)
    #: Requests a second of one token, or of one address without a token.
    requests_per_s: float = Field(default=50.0, gt=0)
    #: Where thumbnails are kept, and how much of them, in bytes.
    thumbnails: Path = Field(default_factory=lambda: cache_folder() / "thumbnails")
    thumbnails_bytes: int = Field(default=2**30, ge=0)
    #: ``text``, or ``json``: one object a line.
    log_format: str = Field(default="text", pattern="^(text|json)$")

    @field_validator("roots", mode="before")
    @classmethod
    def _split_roots(cls, value: Any) -> Any:
        return [p for p in value.split(os.pathsep) if p] if isinstance(value, str) else value

    @field_validator("allow_private_hosts", "allow_ports", "schemes", mode="before")
    @classmethod
    def _split_list(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return [part.strip() for part in value.split(",") if part.strip()]

    @model_validator(mode="after")
    def _roots_are_absolute(self) -> Settings:
        for root in self.roots:
            if not root.is_absolute():
                raise ValueError(f"roots: {root} is not absolute; give whole paths")
        return self


#: What pydantic would say with a regular expression.
_REASONS = {
    "device": "it takes auto, cpu, cuda or cuda:N; a worker also all",
    "log_format": "it takes text or json",
    "allow_ports": "it takes numbers from 1 to 65535, separated by commas",
}


class Options(TypedDict, total=False):
    """The settings as keyword arguments of the Python interface; None means not given."""

    database_url: str | None
    weights: str | None
    labels: Path | None
    precision: Precision | str | None
    top_k: int | None
    device: str | None
    engine: str | None
    tune: bool | None
    max_batch: int | None
    max_wait_ms: float | None
    loaders: int | None
    piece: int | None
    chunk_size: int | None
    max_pixels: int | None
    max_bytes: int | None
    image_timeout_s: float | None
    retries: int | None
    roots: tuple[Path, ...] | None
    allow_private_hosts: tuple[str, ...] | str | None
    allow_ports: tuple[int, ...] | str | None
    proxy: str | None
    schemes: tuple[str, ...] | str | None
    downloads: int | None
    host_downloads: int | None
    url_timeout_s: float | None
    loader_memory: int | None
    loader_images: int | None
    reuse: bool | None
    webhook_secret: str | None
    lease_s: float | None
    broker_url: str | None
    concurrency: int | None
    send_ahead: int | None
    sweep_s: float | None
    resend_s: float | None
    drain_s: float | None
    stall_s: float | None
    metrics_port: int | None
    metrics_host: str | None
    host: str | None
    port: int | None
    uploads: Path | None
    upload_bytes: int | None
    upload_references: int | None
    requests_per_s: float | None
    thumbnails: Path | None
    thumbnails_bytes: int | None
    log_format: str | None


def load_settings(**given: Unpack[Options]) -> Settings:
    """Return the settings with what was ``given`` (None: not given) over the environment.

    Raises UsageError in one sentence that names the option and what it takes.
    """
    try:
        stated: dict[str, Any] = {k: v for k, v in given.items() if v is not None}
        return Settings(**stated)
    except ValidationError as error:
        first = error.errors()[0]
        # Of a list only its name: what is wrong with which of its parts the reason says.
        names = [part for part in first["loc"] if isinstance(part, str)]
        option = "-".join(names).replace("_", "-") or "settings"
        reason = _REASONS.get(str(first["loc"][0]) if first["loc"] else "", first["msg"])
        reason = reason.removeprefix("Value error, ")
        raise UsageError(
            f"--{option} (IMAGEMILL_{option.upper().replace('-', '_')}): {reason}"
        ) from None
