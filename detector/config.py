"""Typed settings: detector.toml < environment < command line."""

from __future__ import annotations

import tomllib
from datetime import time
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, PositiveFloat, PositiveInt, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from detector.errors import ConfigError

DEFAULT_FILE = Path("detector.toml")
DEFAULT_DB = "sqlite:///detector.db"

Sensitivity = Literal["none", "personal", "biometric", "health"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Privacy(_Section):
    """What the training declared of differential privacy."""

    noise_multiplier: PositiveFloat
    sampling_rate: float = Field(gt=0, le=1)
    steps: PositiveInt
    delta: float = Field(gt=0, lt=1)


class ModelSettings(_Section):
    """What the site tells of one model; every part is optional."""

    sensitivity: Sensitivity = "none"
    image_shape: tuple[PositiveInt, ...] | None = None
    training_sample: Path | None = None
    holdout_sample: Path | None = None
    weights: Path | None = None
    canaries: Path | None = None
    privacy: Privacy | None = None


class ClientSettings(_Section):
    """What the site tells of one client: a declared workload is named in findings and hides nothing."""

    workload: str


class IdentitySettings(_Section):
    """Who a query belongs to, where the log alone does not say."""

    network_prefix_v4: int = Field(default=24, ge=8, le=32)
    network_prefix_v6: int = Field(default=48, ge=16, le=128)


class AlertSettings(_Section):
    """Where alerts go; nothing leaves the machine unless named here."""

    fail_on: Literal["low", "medium", "high", "critical"] = "medium"


class RetentionSettings(_Section):
    """How many nights raw queries stay; windows and incidents stay until purged by name."""

    query_nights: PositiveInt = 30


class ThresholdSettings(_Section):
    """The alarm budget and what follows from it."""

    false_incidents_per_30_nights: PositiveFloat = 1.0
    max_rejects: float = Field(default=0.01, ge=0, le=1)


class CustodySettings(_Section):
    """Who signs evidence bundles (without a key they are unsigned and say so), and who tells their time."""

    key: Path | None = None
    timestamp_url: HttpUrl | None = None
    timestamp_roots: Path | None = None

    @field_validator("timestamp_url")
    @classmethod
    def _names_nobody(cls, url: HttpUrl | None) -> HttpUrl | None:
        if url is not None and (url.username or url.password):
            raise ValueError("a name or password in the address is not sent: leave it out")
        return url


class Settings(BaseSettings):
    """Everything that can be configured, with the defaults of an unconfigured site."""

    model_config = SettingsConfigDict(
        env_prefix="DETECTOR_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    db: str = DEFAULT_DB
    rules: Path | None = None
    night_starts: time = time(0)
    models: dict[str, ModelSettings] = Field(default_factory=dict)
    clients: dict[str, ClientSettings] = Field(default_factory=dict)
    identity: IdentitySettings = IdentitySettings()
    alerts: AlertSettings = AlertSettings()
    retention: RetentionSettings = RetentionSettings()
    thresholds: ThresholdSettings = ThresholdSettings()
    custody: CustodySettings = CustodySettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the library calls it by keyword
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment override what the file (passed to the constructor) says."""
        return env_settings, init_settings


def _anchored(section: dict[str, object], folder: Path) -> dict[str, object]:
    """Return `section` with its file names made relative to the configuration's folder, not to the working folder."""
    names = ("training_sample", "holdout_sample", "weights", "canaries", "key", "timestamp_roots")
    return {k: folder / v if k in names and isinstance(v, str) else v for k, v in section.items()}


def load_settings(file: Path | None = None, *, db: str | None = None) -> Settings:
    """Read the settings.

    Args:
        file: the configuration file; None reads detector.toml of the working folder if there is one.
        db: database URL from the command line, which wins over file and environment.

    Raises:
        ConfigError: the file is missing, is not TOML, or says something that is not a setting.
    """
    path = file or DEFAULT_FILE
    if file is not None and not file.is_file():
        raise ConfigError("there is no such configuration file", file=file, expected="a TOML file")
    values: dict[str, object] = {}
    if path.is_file():
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
            raise ConfigError(f"cannot be read as TOML: {error}", file=path) from error
        models = values.get("models")
        if isinstance(models, dict):
            values["models"] = {k: _anchored(v, path.parent) if isinstance(v, dict) else v for k, v in models.items()}
        if isinstance(custody := values.get("custody"), dict):
            values["custody"] = _anchored(custody, path.parent)
    try:
        settings = Settings(**values)  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"setting {where}: {first['msg']}", file=path if path.is_file() else None) from error
    return settings.model_copy(update={"db": db}) if db else settings
