DROP TABLE data_export_chunks, data_exports;
