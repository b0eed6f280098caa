# One image for api, worker, status and autoscaler: they share every dependency that weighs, and one tag can never run a mixed set.
FROM node:24-slim AS base
WORKDIR /app

# Only what `npm ci` reads. The next stages copy from here, so a changed source file leaves their layers cached.
FROM base AS manifests
COPY . .
RUN find . -type f ! -name package.json ! -name package-lock.json ! -name .npmrc -delete \
 && find . -mindepth 1 -type d -empty -delete

FROM base AS deps
COPY --from=manifests /app ./
RUN --mount=type=cache,target=/root/.npm npm ci

FROM deps AS build
COPY . .
RUN npm run build \
 && mkdir /built \
 && cp -r --parents apps/*/dist packages/*/dist /built \
 && find /built -name '*.tsbuildinfo' -delete

# What the services need at run time: no compiler, no test tools, nothing of the page's and the command's own.
FROM base AS production
COPY --from=manifests /app ./
RUN --mount=type=cache,target=/root/.npm npm ci --omit=dev \
    --workspace @spillway/api --workspace @spillway/status --workspace @spillway/app-worker --workspace @spillway/autoscaler

FROM base
ENV NODE_ENV=production SPILLWAY_FILES=/var/lib/spillway/files
# A new volume takes the owner of the folder that it covers, so the unprivileged user can write to it.
RUN mkdir -p "$SPILLWAY_FILES" && chown node:node "$SPILLWAY_FILES"
COPY --from=production /app/node_modules ./node_modules
COPY --from=production /app/apps ./apps
COPY --from=production /app/packages ./packages
COPY --from=build /built ./
COPY package.json LICENSE ./
USER node
CMD ["node", "apps/api/dist/main.js"]
