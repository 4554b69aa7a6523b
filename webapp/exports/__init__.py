"""Files that people take home: tables as CSV and as Excel workbooks. Knows no page."""
