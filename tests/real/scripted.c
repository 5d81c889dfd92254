/* An ADBC driver that is DuckDB's but for transactions: within a connection there are none, as there are none with
 * BigQuery's. Compiled and used by warehouses.sh; SCRIPTED_DUCKDB names DuckDB's library. */

#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* From adbc.h. A driver is a table of pointers, of which ConnectionSetOption is the fifteenth. */
enum { STATUS_NOT_IMPLEMENTED = 2, STATUS_INTERNAL = 9, CONNECTION_SET_OPTION = 14 };
typedef uint8_t status;
typedef status (*init)(int version, void *driver, void *error);
typedef status (*set_option)(void *connection, const char *key, const char *value, void *error);

static set_option of_duckdb;

static status without_transactions(void *connection, const char *key, const char *value, void *error) {
  if (strcmp(key, "adbc.connection.autocommit") == 0) return STATUS_NOT_IMPLEMENTED;
  return of_duckdb(connection, key, value, error);
}

status AdbcDriverInit(int version, void *driver, void *error) {
  const char *path = getenv("SCRIPTED_DUCKDB");
  void *library = path ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
  init duckdb = library ? (init)dlsym(library, "duckdb_adbc_init") : NULL;
  if (!duckdb) return STATUS_INTERNAL;
  status made = duckdb(version, driver, error);
  if (made != 0) return made;
  set_option *slot = (set_option *)driver + CONNECTION_SET_OPTION;
  of_duckdb = *slot;
  *slot = without_transactions;
  return made;
}
