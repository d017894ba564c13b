# Ruby's pg: libpq, binary results, COPY with coders, pipelines, cancel.
require "json"
require "pg"

url, gate = ARGV
$stdout.sync = true

def plain(value)
  case value
  when String then value.encoding == Encoding::BINARY ? { bytes: value.unpack1("H*") } : value
  when Array then value.map { |one| plain(one) }
  when Hash then value.transform_values { |one| plain(one) }
  when nil, true, false, Integer then value
  else "#{value.class} #{value}"
  end
end

def step(name)
  puts JSON.generate({ step: name, ok: plain(yield) })
rescue PG::Error => error
  state = error.respond_to?(:result) && error.result ? error.result.error_field(PG::PG_DIAG_SQLSTATE) : ""
  puts JSON.generate({ step: name, error: [state, error.message.lines.first.strip] })
end

db = PG.connect(url)
db.set_notice_processor { |_| }
rows = ->(result) { [result.fields, result.fields.each_index.map { |i| result.ftype(i) }, result.values] }

step("status") { [db.parameter_status("server_encoding"), db.parameter_status("standard_conforming_strings"), db.transaction_status, db.internal_encoding.to_s] }
step("every type as text") { rows.(db.exec("SELECT * FROM kinds ORDER BY id")) }
step("every type in binary") { rows.(db.exec_params("SELECT * FROM kinds ORDER BY id", [], 1)) }
step("parameters") do
  rows.(db.exec_params("SELECT $1::int, $2::text, $3::text, $4::bytea", ["7", "it's \\ ☃", nil, { value: "\x00\xFF'".b, format: 1 }], 1))
end
step("typed results") do
  db.type_map_for_results = PG::BasicTypeMapForResults.new(db)
  out = db.exec("SELECT id, big, exact, yes, at, docb, list, raw FROM kinds WHERE id = 1").values
  db.type_map_for_results = PG::TypeMapAllStrings.new
  out
end
step("typed queries") do
  map = PG::BasicTypeMapForQueries.new(db)
  db.exec_params("SELECT $1::int8, $2::bool, $3::int[], $4::float8", [7, true, [1, 2], 1.5], 0, map).values
end
step("prepared by name") do
  db.prepare("by id", "SELECT name, email FROM people WHERE id = $1")
  described = db.describe_prepared("by id")
  out = [described.nparams, described.paramtype(0), described.fields]
  [1, 2].each { |i| out += db.exec_prepared("by id", [i]).values }
  db.exec("DEALLOCATE \"by id\"")
  out
end
step("prepared, and gone") { db.exec_prepared("by id", [1]).values }
step("row by row") do
  db.send_query("SELECT id, email FROM people WHERE id < 5 ORDER BY id")
  db.set_single_row_mode
  out = []
  db.get_result.stream_each { |one| out << one }
  out
end
step("a cursor") do
  db.transaction do
    db.exec("DECLARE c CURSOR FOR SELECT id, name FROM people ORDER BY id")
    described = db.describe_portal("c")
    [described.fields, db.exec("FETCH 3 FROM c").values, db.exec("FETCH 2 FROM c").values]
  end
end
step("an error in a transaction") do
  out = []
  begin
    db.transaction do
      db.exec("INSERT INTO notes (id, person, body) VALUES (1001, 1, 'ruby')")
      db.exec("SELECT 1 / 0")
    end
  rescue PG::DivisionByZero => error
    out << error.class.to_s << db.transaction_status
  end
  out << db.exec("SELECT count(*) FROM notes WHERE id = 1001").values
end
step("COPY to") do
  out = []
  decoder = PG::TextDecoder::CopyRow.new
  db.copy_data("COPY (SELECT id, email, NULL FROM people WHERE id < 4 ORDER BY id) TO STDOUT", decoder) do
    while (row = db.get_copy_data)
      out << row
    end
  end
  db.copy_data("COPY (SELECT id FROM people WHERE id < 3 ORDER BY id) TO STDOUT (FORMAT binary)") do
    while (row = db.get_copy_data)
      out << row.b
    end
  end
  out
end
step("COPY from") do
  db.copy_data("COPY notes (id, person, body) FROM STDIN", PG::TextEncoder::CopyRow.new) do
    (1..50).each { |i| db.put_copy_data([7000 + i, i, "r\t#{i}"]) }
  end
  db.exec("DELETE FROM notes WHERE id > 7000").cmd_tuples
end
step("COPY from that the program gives up") do
  db.copy_data("COPY notes (id, person, body) FROM STDIN") do
    db.put_copy_data("7000\t1\tx\n")
    raise PG::Error, "given up"
  end
ensure
  db.discard_results
end
step("a pipeline") do
  db.enter_pipeline_mode
  db.send_query_params("SELECT id, email FROM people WHERE id = $1", [7])
  db.send_query_params("SELECT nope", [])
  db.send_query_params("SELECT 2", [])
  db.pipeline_sync
  db.send_query_params("SELECT 3", [])
  db.pipeline_sync
  out = []
  while out.count(PG::PGRES_PIPELINE_SYNC) < 2
    result = db.sync_get_result
    out << (result.result_status == PG::PGRES_TUPLES_OK ? result.values : result.result_status) if result
  end
  db.exit_pipeline_mode
  out << db.exec("SELECT 4").values
end
step("cancel") do
  db.send_query("SELECT count(*) FROM generate_series(1, 100000000000)")
  sleep 0.3
  db.cancel
  db.get_last_result
end
step("notices") do
  seen = []
  db.set_notice_receiver { |result| seen << result.error_field(PG::PG_DIAG_SQLSTATE) }
  db.exec("BEGIN; BEGIN; COMMIT; COMMIT")
  seen
end
step("reset") { db.reset; db.exec("SELECT 1").values }
step("what is known of a column") { [db.exec("SELECT email FROM people LIMIT 0").then { |result| [result.fmod(0), result.fsize(0)] }] }
step("a key twice") { db.exec("INSERT INTO notes (id, person, body) VALUES (1, 1, 'x')") }
step("a syntax error") { db.exec("SELEC 1") }

if gate
  ["SELECT * FROM secrets", "DELETE FROM people", "CREATE TABLE x (a int)"].each do |text|
    db.exec(text)
  rescue PG::Error => error
    fields = [PG::PG_DIAG_SQLSTATE, PG::PG_DIAG_MESSAGE_HINT].map { |field| error.result.error_field(field) }
    puts JSON.generate({ step: "refused: #{text}", error: fields })
  end
end
db.close
