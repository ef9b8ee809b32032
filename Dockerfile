# syntax=docker/dockerfile:1
# A static binary in an empty image: no shell, no package, not root.
# Reproducible: docker build --build-arg VERSION=1.2.3 --build-arg SOURCE_DATE_EPOCH=0 .
# k8s/README.md has the command that sets all labels.
# For a release pin the base by digest.
ARG GO_VERSION=1.26

FROM --platform=$BUILDPLATFORM golang:${GO_VERSION} AS build
ARG TARGETOS
ARG TARGETARCH
ARG VERSION
WORKDIR /src
RUN --mount=type=cache,target=/go/pkg/mod \
    --mount=type=bind,source=go.mod,target=/src/go.mod \
    --mount=type=bind,source=go.sum,target=/src/go.sum \
    go mod download
RUN --mount=type=cache,target=/go/pkg/mod \
    --mount=type=cache,target=/root/.cache/go-build \
    --mount=type=bind,source=.,target=/src \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -buildvcs=false -ldflags "-s -w -buildid= -X main.version=$VERSION" -o /out/usr/bin/postern ./cmd/postern
RUN mkdir -p /out/etc/ssl/certs /out/tmp /out/var/lib /data && chmod 1777 /out/tmp \
    && cp /etc/ssl/certs/ca-certificates.crt /out/etc/ssl/certs/ \
    && echo 'nonroot:x:65532:65532:nonroot:/var/lib/postern:/sbin/nologin' >/out/etc/passwd \
    && echo 'nonroot:x:65532:' >/out/etc/group

FROM scratch
ARG VERSION
ARG REVISION
ARG SOURCE
ARG CREATED
LABEL org.opencontainers.image.title="postern" \
      org.opencontainers.image.description="SMTP-to-HTTP webhook gateway" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.source="$SOURCE" \
      org.opencontainers.image.created="$CREATED"
COPY --from=build /out/ /
COPY --from=build --chown=65532:65532 /data/ /var/lib/postern/
USER 65532:65532
WORKDIR /var/lib/postern
VOLUME /var/lib/postern
EXPOSE 2525 8080
ENTRYPOINT ["/usr/bin/postern"]
CMD ["serve"]
