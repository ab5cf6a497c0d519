"""The same rules as a suite of Great Expectations, result format of its own choice, without rendering."""

import great_expectations as gx
import great_expectations.expectations as gxe
import pandas as pd
import stopwatch


def side(watch, folder):
    sales = pd.read_parquet(folder / "sales.parquet")
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    batch = (
        context.data_sources.add_pandas("chain")
        .add_dataframe_asset("sales")
        .add_batch_definition_whole_dataframe("all")
    )
    weeks = [str(week) for week in sorted(sales["week"].unique())]
    rules = [gxe.ExpectColumnValuesToNotBeNull(column=column) for column in sales.columns]
    rules += [
        gxe.ExpectColumnValuesToBeInSet(column="store", value_set=sales["store"].unique().tolist()),
        gxe.ExpectColumnValuesToBeInSet(column="product", value_set=sales["product"].unique().tolist()),
        gxe.ExpectColumnValuesToBeBetween(column="week", min_value=weeks[0], max_value=weeks[-1]),
        gxe.ExpectColumnValuesToBeBetween(column="units", min_value=0),
        gxe.ExpectColumnValuesToBeInTypeList(column="units", type_list=["int64"]),
        gxe.ExpectCompoundColumnsToBeUnique(column_list=["store", "product", "week"]),
    ]
    suite = gx.ExpectationSuite(name="sales", expectations=rules)
    given = batch.get_batch(batch_parameters={"dataframe": sales})
    with watch.work():
        found = given.validate(suite, result_format="BOOLEAN_ONLY")
    return {"success": bool(found.success), "rules": len(found.results)}


stopwatch.main(side)
