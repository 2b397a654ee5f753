// bench/kernels.csv.
#pragma once
#include <string>
#include <vector>

#include "bench/kernels/measure.h"

namespace plumb::kernels {

std::string csv_of(const std::vector<Row>& rows);

// What a table knows of rows that is not measured without nvcc: registers, spills, occupancy.
void take_resources(const std::string& csv, std::vector<Row>& rows);

// Throws Error where the table has other rows or columns.
void check_rows(const std::string& csv, const std::vector<Row>& rows);

}  // namespace plumb::kernels
