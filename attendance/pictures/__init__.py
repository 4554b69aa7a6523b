"""Pictures that people took: which format a file has, how it lies, and what decoding it may take."""
