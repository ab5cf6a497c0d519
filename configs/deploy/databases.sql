-- Three databases on one PostgreSQL. The ledger and MLflow could share one; MLflow and Prefect cannot, since both keep a
-- table alembic_version. Prefect needs the extension pg_trgm, which comes with PostgreSQL's contrib packages.
CREATE DATABASE ledger;
CREATE DATABASE mlflow;
CREATE DATABASE prefect;
