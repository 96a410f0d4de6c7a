# Evaluates Vagrantfiles with a Vagrant that only writes down what it is told: FILE ... -> JSON on stdout.
require 'json'

class Told
  def initialize(events, path = [])
    @events = events
    @path = path
  end

  def method_missing(name, *words, **options, &block)
    @events << [@path, name, words, options]
    here = %i[define provider].include?(name) ? [*@path, "#{name} #{words.first}"] : [*@path, name]
    inner = Told.new(@events, here)
    block ? block.call(inner) : inner
  end

  def respond_to_missing?(*)
    true
  end
end

module Vagrant
  class << self
    attr_accessor :events

    def require_version(*words)
      events << [[], :require_version, words, {}]
    end

    def configure(version, &block)
      events << [[], :configure, [version], {}]
      block.call(Told.new(events))
    end
  end
end

told = ARGV.map do |file|
  ENV.delete('VAGRANT_DEFAULT_PROVIDER')
  Vagrant.events = []
  load file
  Vagrant.events << [[], :default_provider, [ENV['VAGRANT_DEFAULT_PROVIDER']], {}]
end
puts JSON.generate(told)
