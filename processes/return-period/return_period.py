#!/usr/bin/env python3
"""Flood return periods: a Gumbel distribution fitted to annual maxima by L-moments (Hosking 1990)."""

import csv
import json
import math
import os
from pathlib import Path

EULER_GAMMA = 0.5772156649015329


def l_moments(sorted_values):
    """First and second sample L-moment (unbiased) of values in rising order."""
    n = len(sorted_values)
    b0 = math.fsum(sorted_values) / n
    b1 = math.fsum(rank * value for rank, value in enumerate(sorted_values)) / (n * (n - 1))
    return b0, 2 * b1 - b0


def fit(maxima):
    """Location and scale of the Gumbel distribution, and the coefficient of L-variation."""
    first, second = l_moments(sorted(maxima))
    # Never negative in exact arithmetic; rounding can make it so where the values hardly differ.
    second = max(second, 0.0)
    scale = second / math.log(2)
    return first - EULER_GAMMA * scale, scale, second / first if first else 0.0


def reduced_variate(period):
    """Gumbel's reduced variate of a return period in years."""
    return -math.log(-math.log1p(-1 / period))


def quantile(location, scale, period, years):
    """Discharge of a return period and its asymptotic standard error for a fit by L-moments (Phien 1987)."""
    y = reduced_variate(period)
    error = scale * math.sqrt((1.1128 + 0.4574 * y + 0.8046 * y * y) / years)
    return {"returnPeriod": period, "discharge": round(location + scale * y, 3), "standardError": round(error, 3)}


def fitted_period(location, scale, discharge):
    """Return period that the fitted distribution gives to a discharge; None where it is beyond any number of years."""
    if not scale:
        return None
    # Beyond 700 the exponential has no float; the exceedance has long been one.
    exceedance = -math.expm1(-math.exp(min((location - discharge) / scale, 700)))
    return round(1 / exceedance, 3) if exceedance > 1e-9 else None


def main():
    inputs = json.loads(Path(os.environ["RUTTER_INPUTS_FILE"]).read_text(encoding="utf-8"))
    out = Path(os.environ["RUTTER_OUT"])
    maxima, periods = inputs["maxima"], inputs["periods"]
    years = len(maxima)
    location, scale, lcv = fit(maxima)

    quantiles = [quantile(location, scale, period, years) for period in periods]
    parameters = {"location": round(location, 4), "scale": round(scale, 4), "lcv": round(lcv, 4), "years": years}
    (out / "quantiles.json").write_text(json.dumps(quantiles), encoding="utf-8")
    (out / "parameters.json").write_text(json.dumps(parameters), encoding="utf-8")
    with (out / "table.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["rank", "discharge", "empiricalReturnPeriod", "fittedReturnPeriod"])
        for rank, discharge in enumerate(sorted(maxima, reverse=True), start=1):
            empirical = round((years + 0.12) / (rank - 0.44), 3)
            table.writerow([rank, discharge, empirical, fitted_period(location, scale, discharge)])


if __name__ == "__main__":
    main()
