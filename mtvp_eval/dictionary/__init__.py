"""What the data are supposed to be: tables, columns, rules, codes and outcomes, read from `data_dictionary/`."""
