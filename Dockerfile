# One image for every service of imagemill: workers on a GPU or a CPU, the page, migrations, flower.
# torch's wheels for Linux bring CUDA along (some gigabytes); a GPU's host has to have the driver
# and NVIDIA's container toolkit, and a CPU needs nothing.

# The wheel, and apart from it what it requires.
FROM python:3.12-slim-trixie AS wheel
# A mirror of the package index, if there is one: docker compose build --build-arg PIP_INDEX_URL=...
ARG PIP_INDEX_URL
WORKDIR /source
COPY pyproject.toml README.md ./
RUN python -c "import tomllib; project = tomllib.load(open('pyproject.toml', 'rb'))['project']; \
    extras = [project['optional-dependencies'][name] for name in ('flower', 's3', 'gs', 'az')]; \
    print(*project['dependencies'], *sum(extras, []), sep='\n')" \
    > /requirements.txt
COPY pipeline pipeline
COPY workers workers
COPY migrations migrations
RUN pip wheel --no-cache-dir --no-deps --wheel-dir=/wheel .

FROM python:3.12-slim-trixie
ARG PIP_INDEX_URL
LABEL org.opencontainers.image.title="imagemill" \
      org.opencontainers.image.description="Bulk image classification with MobileNet v2: every picture answered, nothing lost, all of it in SQL"

# A number, so that everybody can see that it is not root; what is kept may also be another user's,
# whom compose may choose.
RUN useradd --uid=10001 --user-group --no-create-home --home-dir=/var/lib/imagemill imagemill \
    && install --directory --mode=1777 --owner=10001 /var/lib/imagemill \
       /var/lib/imagemill/torch /var/lib/imagemill/cache \
       /var/lib/imagemill/uploads /var/lib/imagemill/thumbnails

# Before the code: this layer is made again when the requirements change, and only then.
COPY --from=wheel /requirements.txt /requirements.txt
RUN pip install --no-cache-dir --root-user-action=ignore --requirement=/requirements.txt

RUN --mount=type=bind,from=wheel,source=/wheel,target=/wheel \
    pip install --no-cache-dir --root-user-action=ignore --no-deps /wheel/*.whl

ENV HOME=/var/lib/imagemill \
    TORCH_HOME=/var/lib/imagemill/torch \
    XDG_CACHE_HOME=/var/lib/imagemill/cache \
    PYTHONUNBUFFERED=1
WORKDIR /var/lib/imagemill
USER 10001:10001
# Metrics and probes of a worker (IMAGEMILL_METRICS_PORT), and the page (IMAGEMILL_PORT).
EXPOSE 9464 8420
ENTRYPOINT ["imagemill"]
CMD ["--help"]
