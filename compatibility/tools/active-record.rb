# Rails' Active Record: migrations in transactions, models with associations, its reading of the catalog.
require "active_record"
require "json"
require "stringio"

def say(what, value)
  puts JSON.generate(what: what, value: value)
  $stdout.flush
end

ActiveRecord::Base.establish_connection(
  adapter: "postgresql", host: ENV["PGHOST"], port: ENV["PGPORT"], username: ENV["PGUSER"],
  password: ENV["PGPASSWORD"], database: ENV["PGDATABASE"], pool: 2
)
ActiveRecord::Migration.verbose = false

class Person < ActiveRecord::Base
  self.table_name = "people"
  has_many :orders
end

class Order < ActiveRecord::Base
  belongs_to :person
end

class Desk < ActiveRecord::Base
  enum state: { free: 0, taken: 1 }
end

class CreateDesks < ActiveRecord::Migration[6.1]
  def change
    create_table :desks do |t|
      t.string :title, null: false, index: { unique: true }
      t.integer :state, null: false, default: 0
      t.jsonb :details, default: {}
      t.string :tags, array: true, default: []
      t.references :person, foreign_key: true
      t.timestamps
    end
  end
end

class GiveDesks < ActiveRecord::Migration[6.1]
  def up
    add_column :people, :desk, :string
    Person.reset_column_information
    Person.order(:id).each { |one| one.update_columns(desk: "desk of #{one.name}") }
    change_column_null :people, :desk, false
    add_index :people, :desk
  end

  def down
    remove_column :people, :desk
  end
end

migrations = [["1", CreateDesks], ["2", GiveDesks]].map do |version, type|
  ActiveRecord::MigrationProxy.new(type.name, version.to_i, "memory", "").tap do |proxy|
    proxy.define_singleton_method(:load_migration) { type.new(type.name, version.to_i) }
  end
end
ActiveRecord::SchemaMigration.create_table
ActiveRecord::InternalMetadata.create_table
migrate = lambda do |direction, target|
  ActiveRecord::Migrator.new(direction, migrations, ActiveRecord::SchemaMigration, target).migrate
end
migrate.call(:up, nil)
migrate.call(:down, 0)
migrate.call(:up, nil)
say "versions", ActiveRecord::SchemaMigration.all_versions
[Person, Desk].each(&:reset_column_information)
say "columns", Person.columns.map { |one| [one.name, one.sql_type, one.null] }
say "people", Person.includes(:orders).order(:id).map { |one| [one.id, one.email, one.desk, one.orders.map(&:id).sort] }
desk = Desk.create!(title: "first", tags: %w[a b], details: { n: 1 }, person_id: 1)
say "made", [desk.id, desk.state, desk.reload.tags, desk.details]
say "inserted", Desk.insert_all([{ title: "second", created_at: Time.at(0), updated_at: Time.at(0) }], returning: %w[id title]).rows
say "sums", Order.joins(:person).group("people.name").order("people.name").sum(:total).transform_values(&:to_s)
Order.transaction do
  order = Person.find_by!(name: "Bob").orders.create!(total: 3, note: "by active record")
  order.lock!
  order.increment!(:total)
  say "transaction", [order.id, order.total.to_s]
end
say "plucked", Person.where("name like ?", "A%").pluck(:id, :email)
begin
  Desk.create!(title: "first")
rescue ActiveRecord::RecordNotUnique => e
  say "refused", e.class.name
end
say "tables", ActiveRecord::Base.connection.tables.sort
stream = StringIO.new
ActiveRecord::SchemaDumper.dump(ActiveRecord::Base.connection, stream)
say "dumped", stream.string
