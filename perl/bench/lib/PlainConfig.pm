package PlainConfig;

# What `make bench` compares PVE::Multipath::Config with: a section configuration's parser and
# writer in plain Perl, driven by a schema, and the schema of multipath.cfg. It looks at each line
# once, checks with closures made beforehand, and calls and throws nothing where nothing is wrong.

use v5.36;

use Digest::SHA ();

my $COUNT = { type => 'integer', minimum => 1 };

my $SCHEMA = {
    properties => {
        alias => { type => 'string', pattern => '[a-zA-Z0-9][a-zA-Z0-9._-]*', maxLength => 64 },
        'expected-paths' => $COUNT,
        failback => { type => 'string', pattern => '(?:manual|immediate|followover|[0-9]+)' },
        'find-multipaths' => { type => 'string', enum => [qw(yes no strict greedy smart)] },
        'no-path-retry' => { type => 'string', pattern => '(?:queue|fail|[0-9]+)' },
        'path-grouping-policy' => {
            type => 'string',
            enum => [
                qw(failover multibus group_by_serial group_by_prio group_by_node_name),
            ],
        },
        'path-selector' => { type => 'string', maxLength => 64 },
        'polling-interval' => $COUNT,
        'rr-min-io-rq' => $COUNT,
        'rr-weight' => { type => 'string', enum => [qw(priorities uniform)] },
        'user-friendly-names' => { type => 'string', enum => [qw(yes no)] },
    },
    types => {
        defaults => [
            qw(
                expected-paths failback find-multipaths no-path-retry path-grouping-policy
                path-selector polling-interval user-friendly-names
            ),
        ],
        wwid => [
            qw(
                alias expected-paths failback no-path-retry path-grouping-policy path-selector
                rr-min-io-rq rr-weight
            ),
        ],
    },
};

# What is wrong with a value of that property, or undef: the schema is looked at here, once.
my sub value_check($property) {
    my ($pattern, $length, $minimum, $enum) = $property->@{qw(pattern maxLength minimum enum)};

    if ($property->{type} eq 'integer') {
        return sub($value) {
            return "type check ('integer') failed - got '$value'" if $value !~ /\A[+-]?[0-9]+\z/;
            return "value must have a minimum value of $minimum"
                if defined($minimum) && $value < $minimum;
            return undef;
        };
    }
    if (defined($enum)) {
        my %known = map { $_ => 1 } @$enum;
        my $list = join(', ', @$enum);
        return sub($value) {
            return undef if $known{$value};
            return "value '$value' does not have a value in the enumeration '$list'";
        };
    }
    if (defined($pattern)) {
        my $regex = qr/\A$pattern\z/a;
        return sub($value) {
            return 'value does not match the regex pattern' if $value !~ $regex;
            return "value may only be $length characters long"
                if defined($length) && length($value) > $length;
            return undef;
        };
    }
    return sub($value) {
        return "value may only be $length characters long"
            if defined($length) && length($value) > $length;
        return undef;
    };
}

my sub compile($schema) {
    my %properties;
    for my $name (keys $schema->{properties}->%*) {
        my $property = $schema->{properties}->{$name};
        $properties{$name} =
            { integer => $property->{type} eq 'integer', check => value_check($property) };
    }
    my (%options, %sorted);
    for my $type (keys $schema->{types}->%*) {
        $sorted{$type} = [sort $schema->{types}->{$type}->@*];
        $options{$type} = { map { $_ => $properties{$_} } $sorted{$type}->@* };
    }
    return {
        properties => { %properties, type => {}, id => {} },
        options => \%options,
        sorted => \%sorted,
    };
}

my $CONFIG = compile($SCHEMA);

sub schema() {
    return $SCHEMA;
}

sub parse_config($class, $filename, $raw) {
    $raw //= '';
    my $digest = Digest::SHA::sha1_hex($raw);
    # Characters are bytes from here on; wider ones have made sha1_hex die.
    utf8::downgrade($raw);

    my ($properties, $options_of) = $CONFIG->@{qw(properties options)};
    my (%ids, %order, @errors);
    my $number = 0;
    my ($line_number, $skip) = (0, 0);
    my ($section, $id, $type, $options, $typed);

    for my $line (split(/\n/, $raw)) {
        $line_number++;

        # An empty line ends a section, and so does every other that Perl takes for false.
        if (!$line) {
            undef $section;
            $skip = 0;
        } elsif ($section) {
            if ($line !~ /^\s+([^\s#]\S*)(?:\s+(.*\S))?\s*$/a) {
                next if $line =~ /^\s*#/a;
                my $context = "file $filename line $line_number (section '$id')";
                warn "$context - ignore config line: $line\n";
                next;
            }
            my ($key, $value) = ($1, $2);
            my $property = $options->{$key};

            my $error;
            if ($property && defined($value) && !exists($section->{$key})) {
                $error = $value =~ tr/\r//
                    ? 'property contains a line feed'
                    : $property->{check}->($value);
                if (!defined($error)) {
                    $section->{$key} = $property->{integer} ? $value + 0 : $value;
                    next;
                }
            } elsif (!$properties->{$key}) {
                $error = 'unknown property type';
            } elsif ($key eq 'type' ? $typed : exists($section->{$key})) {
                $error = 'duplicate attribute';
            } elsif ($key eq 'type' && defined($value) && $value eq $type) {
                $typed = 1;
                next;
            } elsif (!$property) {
                $error = "unexpected property '$key'";
            } else {
                $error = 'got undefined value';
            }

            my $context = "file $filename line $line_number";
            warn "$context (section '$id') - unable to parse value of '$key': $error\n";
            push @errors, { context => $context, section => $id, key => $key, err => "$error\n" };
        } elsif ($skip) {
            next;
        } elsif ($line =~ /^([^\s#]\S*):\s*(\S+)\s*$/a) {
            ($type, $id) = ($1, $2);
            $options = $options_of->{$type};
            if (!$options) {
                my $problem =
                    $type ? "unsupported type '$type'" : 'missing type - internal error';
                warn "file $filename line $line_number (skip section '$id'): $problem\n";
                $skip = 1;
                next;
            }

            # A later section replaces one of the same ID.
            $ids{$id} = $section = { type => $type };
            $order{$id} = ++$number;
            $typed = 0;
        } elsif ($line !~ /^\s*#/a) {
            warn "file $filename line $line_number - ignore config line: $line\n";
        }
    }

    my $cfg = { ids => \%ids, order => \%order, digest => $digest };
    $cfg->{errors} = \@errors if @errors;
    return $cfg;
}

sub write_config($class, $filename, $cfg) {
    my ($ids, $order) = $cfg->@{qw(ids order)};

    # New sections go last.
    my $last = 0;
    my @new;
    for my $id (keys %$ids) {
        my $number = $order->{$id};
        if (!defined($number)) {
            push @new, $id;
        } elsif ($number > $last) {
            $last = $number;
        }
    }
    $order->{$_} = ++$last for sort @new;

    my $text = '';
    for my $id (sort { $order->{$a} <=> $order->{$b} } sort keys %$ids) {
        my $section = $ids->{$id};
        my $type = $section->{type} // '';
        my $keys = $CONFIG->{sorted}->{$type} or die "unknown section type '$type'\n";
        my $options = $CONFIG->{options}->{$type};

        die "section '$id': an ID may not be empty, nor have blanks\n" if $id !~ /\A\S+\z/a;
        $text .= "$type: $id\n";
        # Those two are of every type.
        if (my $comment = $section->{comment}) {
            die "property 'comment' contains a line feed\n" if $comment =~ tr/\r\n//;
            $text .= "\tcomment $comment\n";
        }
        $text .= "\tdisable\n" if $section->{disable};

        for my $key (@$keys) {
            my $value = $section->{$key} // next;
            die "property '$key' contains a line feed\n" if $value =~ tr/\r\n//;
            next if !length($value);
            # Only what would be read back the same is written.
            my $error = $options->{$key}->{check}->($value);
            die "section '$id': property '$key': $error\n" if defined($error);
            die "section '$id': property '$key' has blanks around its value\n"
                if $value =~ tr/ \t-\r// && $value =~ /\A\s|\s\z/a;
            $text .= "\t$key $value\n";
        }
        $text .= "\n";
    }
    return $text;
}

1;
