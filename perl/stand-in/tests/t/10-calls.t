# Calling exported functions: names, prototypes, numbers of arguments, contexts, errors and
# panics. Expectations measured with perlmod 0.14.0.

use v5.36;
use utf8;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

BEGIN { require StandIn; StandIn->import() }

# names and prototypes
my %prototypes = (
    no_arguments => '',
    two => '$$',
    options_at_the_end => '$;$$',
    option_in_the_middle => '$$;$',
    renamed => '$',
    with_prototype => '&@',
    with_xs_name => '',
    list => '',
);
for my $name (sort keys %prototypes) {
    is(prototype("StandIn::Call::$name"), $prototypes{$name}, "prototype of $name");
}
ok(!defined(&StandIn::Call::not_the_name_in_perl), 'a renamed function has only its new name');
is(StandIn::Call::renamed(1), 2, 'renamed');
is(StandIn::Call::with_xs_name(), 42, 'xs_name does not matter to Perl');
is(StandIn::Call::with_prototype(sub { }, 3), 3, 'own prototype');

# loading
is(StandIn::Call::times_loaded(), 1, 'the boot function was run');
my $second = eval { scalar(StandIn::boot('StandIn::Call')); 1 };
ok($second, 'loading again is harmless');
is(StandIn::Call::times_loaded(), 1, 'and does not run the boot function again');

# numbers of arguments; the prototypes are bypassed
is(&StandIn::Call::two(5, 3), 2, 'two arguments');
is(error_of(sub { &StandIn::Call::two(5) }), "missing required parameter: 'second'\n", 'one');
is(error_of(sub { &StandIn::Call::two() }), "missing required parameter: 'first'\n", 'none');
is(
    error_of(sub { &StandIn::Call::two(1, 2, 3) }),
    "too many parameters for function 'two', (expected 2)\n",
    'three',
);
is(
    error_of(sub { &StandIn::Call::no_arguments(1) }),
    "too many parameters for function 'no_arguments', (expected 0)\n",
    'one instead of none',
);
is(
    error_of(sub { &StandIn::Call::two('x', 2, 3) }),
    "too many parameters for function 'two', (expected 2)\n",
    'numbers are checked before types',
);
is(
    error_of(sub { &StandIn::Call::renamed(1, 2) }),
    "too many parameters for function 'not_the_name_in_perl', (expected 1)\n",
    'the message has the name in Rust',
);
is(StandIn::Call::options_at_the_end(1), '1 None None', 'options left out');
is(StandIn::Call::options_at_the_end(1, 2), '1 Some(2) None', 'one option left out');
is(StandIn::Call::options_at_the_end(1, undef, 3), '1 None Some(3)', 'undef for an option');
is(StandIn::Call::option_in_the_middle(undef, 2), 'None 2 None', 'leading option');
is(
    error_of(sub { &StandIn::Call::option_in_the_middle(1) }),
    "missing required parameter: 'second'\n",
    'a leading option cannot be left out',
);
is(
    error_of(sub { StandIn::Call::two(1, 'x') }),
    "error: invalid type: string \"x\", expected i64\n",
    'wrong type',
);

# contexts
sub context_of { return StandIn::Call::context() }
my $scalar = context_of();
my ($list) = context_of();
is($scalar, 'Scalar false', 'scalar context');
is($list, 'List true', 'list context');

for my $name (qw(nothing written_unit aliased_unit)) {
    my $function = StandIn::Call->can($name);
    my @list = $function->();
    is_deeply(\@list, [], "$name: an empty list");
    is_deeply([scalar($function->())], [undef], "$name: undef as a scalar");
    $function->();
}
is_deeply([StandIn::Call::nothing_or_error(0)], [], 'Ok(()) is an empty list');
is_deeply([StandIn::Call::list()], [1, 'two', undef, [3, 4]], 'a tuple is a list');
is_deeply([scalar(StandIn::Call::list())], [[3, 4]], 'of which a scalar is the last');
is(scalar(my @discarded = StandIn::Call::list()), 4, 'of four values');
is_deeply([StandIn::Call::list_of_one()], [9], 'a list of one');
is_deeply([StandIn::Call::list_or_error(0)], [1, undef], 'unit in a tuple is undef');
is_deeply([StandIn::Call::aliased_tuple()], [[1, 2]], 'a tuple by another name is an array');
is_deeply([StandIn::Call::array()], [[1, 2, 3]], 'a vector is one array reference');
is_deeply([StandIn::Call::none()], [undef], 'None is one undef');
StandIn::Call::list();
StandIn::Call::array();
pass('void context');
is_deeply(
    [map { StandIn::Call::list() } 1 .. 1000],
    [map { (1, 'two', undef, [3, 4]) } 1 .. 1000],
    'long lists of lists',
);
is_deeply(
    [StandIn::Call::two(9, StandIn::Call::two(5, 3)), StandIn::Call::list_of_one()],
    [7, 9],
    'nested calls',
);

# errors
is(StandIn::Call::number_or_error(0), 5, 'no error');
is(error_of(sub { StandIn::Call::number_or_error(1) }), "bad: code 7\n", 'alternate form');
is(error_of(sub { StandIn::Call::nothing_or_error(1) }), "bad: code 7\n", 'from unit');
is(error_of(sub { StandIn::Call::list_or_error(1) }), "bad: code 7\n", 'from a list');
is(error_of(sub { StandIn::Call::line_feed_error() }), "with its own\n\n", 'two line feeds');
is(error_of(sub { StandIn::Call::utf8_error() }), "böse ☃\n", 'an error with other characters');
is(error_of(sub { StandIn::Call::crate_error() }), "error: of the crate\n", "the crate's own");
is(StandIn::Call::structured_error(0), 5, 'no structured error');
is_deeply(
    error_of(sub { StandIn::Call::structured_error(1) }),
    { reason => 'bad', code => 7 },
    'structured error',
);
is_deeply([StandIn::Call::aliased_result(0)], [{ Ok => 1 }], 'a Result by another name is data');
is_deeply([StandIn::Call::aliased_result(1)], [{ Err => 2 }], 'also if it is an error');
{
    local $@ = 'kept';
    StandIn::Call::two(1, 1);
    is($@, 'kept', '$@ is left alone');
    my @caught;
    local $SIG{__DIE__} = sub { push @caught, $_[0] };
    eval { StandIn::Call::number_or_error(1) };
    is_deeply(\@caught, ["bad: code 7\n"], '$SIG{__DIE__} is called');
}

# panics
my $here = __FILE__;
like(
    error_of(sub { StandIn::Call::panics() }),
    qr/^rust function panicked at \Q$here\E line \d+\.\n\z/,
    'panic',
);
like(error_of(sub { StandIn::Call::panics_with('x') }), qr/^rust function panicked at /, 'any');
like(error_of(sub { StandIn::Call::panics_in_drop() }), qr/^rust function panicked at /, 'drop');
like(
    error_of(sub { StandIn::Call::panics_in_drop_of_result() }),
    qr/^rust function panicked at /,
    'drop of a result',
);
is(StandIn::Call::two(2, 1), 1, 'life goes on');

# dropping
my $drops = StandIn::Call::drops();
for my $how (0, 1, 2) {
    error_of(sub { StandIn::Call::drops_before_dying($how) });
    is(StandIn::Call::drops(), ++$drops, "dropped before the end, way $how");
}

# called in unusual ways
is(StandIn::Call->can('two')->(3, 1), 2, 'by reference');
is_deeply([sort { StandIn::Call::two($a, $b) } 3, 1, 2], [1, 2, 3], 'in a sort block');
my $by_name = do { no strict 'refs'; &{'StandIn::Call::two'}(3, 1) };
is($by_name, 2, 'by name');
sub jump { goto &StandIn::Call::two }
is(jump(7, 2), 5, 'by goto');
is(&{ sub { local @_ = (8, 1); &StandIn::Call::two } }(), 7, 'with the arguments of the caller');

done_testing();
