#!/bin/sh
# Secrets by file for programs that know them by variable only: what the file named in NAME_FILE holds becomes NAME.
# Landed itself reads LANDED_…_FILE; these are Prefect's and MLflow's.
set -eu
for name in \
    PREFECT_API_AUTH_STRING PREFECT_SERVER_API_AUTH_STRING PREFECT_API_DATABASE_CONNECTION_URL \
    MLFLOW_TRACKING_PASSWORD MLFLOW_BACKEND_STORE_URI MLFLOW_FLASK_SERVER_SECRET_KEY; do
    eval "file=\${${name}_FILE:-}"
    if [ -n "$file" ]; then
        value=$(cat "$file")
        export "$name=$value"
        unset "${name}_FILE"
    fi
done
exec "$@"
