# The image of presto-sidecar: the program with its dependencies in a few files, and Node, nothing else.
# It needs no shell, no write access to its own root and no capability.
#
# Both bases are arguments, so that a mirror or an approved base can take their place. They are pinned by digest, which
# is what counts; the tag is for people. docs/image.md says how they are moved on.
# The run base must bring `node` 24 or newer in one of the folders of PATH below.
#
# Behind a package mirror, give npm its settings as build secrets; they stay out of every layer:
#   docker build --secret id=npmrc,src=$HOME/.npmrc --secret id=npm-ca,src=/path/of/ca.pem .
ARG BUILD_BASE=docker.io/library/node:26.10.0-trixie-slim@sha256:ec7758ee051e457b468b32bde57b0879010b325bb9862718e9615225ce4aaae1
ARG RUN_BASE=gcr.io/distroless/nodejs26-debian13:nonroot@sha256:2ee7b2c54a3e37dfc248af81c9f6bcdcaa50abe4af44aa47a3388431031b9283

# What makes the program. The bundler's binary is an optional dependency: never add --omit=optional in this stage.
FROM ${BUILD_BASE} AS build
WORKDIR /app
# npm reads the linked package of the development Node even where it does not install it.
COPY tools/node/package.json tools/node/package.json
COPY package.json package-lock.json .npmrc ./
# No install script is run: none of the dependencies needs one, and one that appears should be seen.
RUN --mount=type=secret,id=npmrc,target=/run/npmrc \
    --mount=type=secret,id=npm-ca,target=/run/npm-ca.pem \
    NPM_CONFIG_USERCONFIG=/run/npmrc npm ci --ignore-scripts
COPY tools/build tools/build
COPY src src
# --without-code: no layer that differs from build to build, at a third more time to start (docs/decisions/bundle.md).
ARG BUILD_OPTIONS=""
# What V8 made of the program differs from build to build; it is kept apart, for a layer of its own.
RUN npm run build -- ${BUILD_OPTIONS} && npm run sbom && \
    mkdir -p code/parts && find dist/parts -name '*.code' -exec mv -t code/parts '{}' +

# `docker build --target sbom --output .`: what is in the program, beside the image.
FROM scratch AS sbom
COPY --from=build /app/dist/sbom.cdx.json /presto-sidecar.cdx.json

# What the sandbox needs beside the program: a library that makes certificates, which has no business beside a live
# token. Types, source maps and manuals are never read at run time. Licences and package.json stay.
FROM build AS sandbox-dependencies
RUN --mount=type=secret,id=npmrc,target=/run/npmrc \
    --mount=type=secret,id=npm-ca,target=/run/npm-ca.pem \
    NPM_CONFIG_USERCONFIG=/run/npmrc npm ci --omit=dev --ignore-scripts && \
    find node_modules -type f \
    \( -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' -o -name '*.map' -o -iname '*.md' \) \
    ! -iname '*licen[cs]e*' -delete

# What the two images below have in common.
FROM ${RUN_BASE} AS program

# Distroless keeps node in /nodejs/bin, the official images in /usr/local/bin.
ENV NODE_ENV=production \
    PATH=/nodejs/bin:/usr/local/bin:/usr/bin:/bin

# Owned by root, so that the user below can't change it even on a writable root. The base's own user
# would own /app otherwise.
USER 0:0
WORKDIR /app
COPY --chmod=0644 package.json LICENSE ./
COPY --from=build /app/dist dist
COPY --from=build /app/code dist

# A number, because kubelet's runAsNonRoot can't judge a name. What COPY makes below belongs to root all the same.
USER 65532:65532
STOPSIGNAL SIGTERM

# --disable-sigusr1: without it (and without the listener that the program installs first thing)
# that signal would open Node's inspector, and with it the token.
# --max-semi-space-size=4: a young generation of 4 MiB instead of 16 keeps the memory under load lower
# by a tenth to a fifth, for no CPU that could be measured (docs/performance.md).
ENTRYPOINT ["node", "--disable-sigusr1", "--max-semi-space-size=4", "/app/dist/main.js"]

# Behind what is copied, so that another commit's name leaves the layers alone.
ARG RUN_BASE
ARG VERSION=unversioned
ARG REVISION=unknown
ARG SOURCE=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="presto-sidecar" \
      org.opencontainers.image.description="Attaches the live bearer token of the Presto Financial Institutions API to an app's plain calls, and forwards them over verified TLS" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.base.name="${RUN_BASE}" \
      org.opencontainers.image.licenses="LicenseRef-UNLICENSED AND 0BSD AND Apache-2.0 AND BSD-3-Clause AND ISC AND MIT"

# `docker build --target sandbox .`: the stand-in for Presto, and the demo. Never beside a live token.
FROM program AS sandbox
COPY --from=sandbox-dependencies /app/node_modules node_modules
CMD ["sandbox"]

# The image of the sidecar: the last one, which is what a build without a target makes.
FROM program
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
    CMD ["node", "/app/dist/main.js", "healthcheck"]
CMD ["start"]
