"""The same figures and model logged as MLflow's own pages show it: one call per figure, requirements inferred."""

import mlflow
import mlflow.lightgbm
import stopwatch
from tracking_model import METRICS, PARAMETERS, booster


def side(watch, folder):
    mlflow.set_tracking_uri(f"sqlite:///{folder / 'mlflow.db'}")
    mlflow.set_experiment(experiment_id=mlflow.create_experiment("tracked", artifact_location=str(folder / "mlflow")))
    model = booster()
    with mlflow.start_run():
        mlflow.log_metric("first", 0)
    with watch.work(), mlflow.start_run():
        for name, value in PARAMETERS.items():
            mlflow.log_param(name, value)
        for name, value in METRICS.items():
            mlflow.log_metric(name, value)
        mlflow.lightgbm.log_model(model, name="model")


stopwatch.main(side)
